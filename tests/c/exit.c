/*
 * A host that leaves without C_Finalize, in several ways, and one that calls after exit handlers ran.
 *
 *   exit MODULE return|exit|thread|atexit-early|atexit-late|destructor
 */
#include <pthread.h>
#include <unistd.h>

#include "host.h"

static int late;

static void calls(void)
{
    CK_INFO info;
    CK_SLOT_ID slots[16];
    CK_SESSION_HANDLE session;
    CK_ULONG count = 16;

    /* Any answer will do: what must not happen is a crash. */
    if (f->C_GetInfo(&info) == CKR_OK && f->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK && count > 0
        && f->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK)
        f->C_CloseSession(session);
    f->C_Finalize(NULL);
    f->C_GetInfo(&info);
    f->C_Finalize(NULL);
    printf("late calls done\n");
    fflush(stdout);
}

__attribute__((destructor)) static void destructor(void)
{
    if (late)
        calls();
}

static void *other_thread(void *unused)
{
    CK_SESSION_HANDLE session = user();

    (void)unused;
    sign(session, key(session, CK_FALSE));
    exit(0);
}

int main(int argc, char **argv)
{
    const char *way = argc > 2 ? argv[2] : "return";
    CK_SESSION_HANDLE session;
    pthread_t thread;

    /* Registered before the module is loaded, so it runs after everything that the module might register. */
    if (strcmp(way, "atexit-early") == 0)
        atexit(calls);
    load(argv[1], 0);
    must(f->C_Initialize(NULL), "C_Initialize");
    session = user();
    sign(session, key(session, CK_FALSE));
    printf("used\n");
    fflush(stdout);
    if (strcmp(way, "atexit-late") == 0)
        atexit(calls);
    if (strcmp(way, "destructor") == 0)
        late = 1;
    if (strcmp(way, "exit") == 0)
        exit(0);
    if (strcmp(way, "thread") == 0) {
        must(f->C_CloseAllSessions(token()), "C_CloseAllSessions");
        if (pthread_create(&thread, NULL, other_thread, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return 0;
}
