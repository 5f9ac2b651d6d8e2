/*
 * A host that loads the module with RTLD_DEEPBIND, as pkcs11-provider does; run it with jemalloc preloaded,
 * as BIND is built. Memory that one allocator gave and the other takes back is a crash.
 */
#include "host.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    int round;

    if (argc < 2)
        return 2;
    load(argv[1], RTLD_DEEPBIND);
    for (round = 0; round < 3; round++) {
        must(f->C_Initialize(NULL), "C_Initialize");
        session = user();
        sign(session, key(session, CK_TRUE));
        must(f->C_Logout(session), "C_Logout");
        must(f->C_Finalize(NULL), "C_Finalize");
    }
    printf("signed\n");
    return 0;
}
