/*
 * A host that forks while it is logged in: the child begins anew, signs and leaves by exit; the parent goes on.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE mine;
    CK_INFO info;
    pid_t child;
    int status = 1;

    if (argc < 2)
        return 2;
    load(argv[1], 0);
    must(f->C_Initialize(NULL), "C_Initialize");
    session = user();
    mine = key(session, CK_TRUE);
    sign(session, mine);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(120);
        if (f->C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED)
            must(CKR_GENERAL_ERROR, "the child is initialised without its doing");
        must(f->C_Initialize(NULL), "C_Initialize in the child");
        session = user();
        sign(session, key(session, CK_TRUE));
        printf("child signed\n");
        exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("the child ended with status %d\n", status);
        return 3;
    }
    sign(session, mine);
    printf("parent signed\n");
    return 0;
}
