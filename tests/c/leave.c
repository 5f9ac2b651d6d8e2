/*
 * A host that leaves while its threads are in the middle of something, or calls from the last moments of a thread or process.
 *
 *   leave MODULE exit-sign|exit-write|main-gone|quick|handlers|finalise-handler|thread-ends|count
 *
 * exit-sign, exit-write: a thread that initialised nothing calls exit while others sign, or write into the token.
 * main-gone: main ends with pthread_exit (and a destructor as below), the other threads go on for a while and the last one ends the process.
 * quick: quick_exit, with a handler that signs. handlers: atexit handlers from before and after C_Initialize sign and write.
 * finalise-handler: C_Finalize in an atexit handler while others sign. thread-ends: destructors of thread-local values call.
 * count: prints how many objects "left" the token holds. Before it leaves, the host prints how many were acknowledged.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "host.h"

#define THREADS 4

static CK_SESSION_HANDLE sessions[THREADS + 1];
static CK_OBJECT_HANDLE private;
static atomic_int done, written;
static pthread_key_t value;
static int strict = 1;

/* Signs; an answer that says that the library ended is fine where it may have ended. */
static int signs(CK_SESSION_HANDLE session)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {1}, out[64];
    CK_ULONG length = sizeof out;
    CK_RV code = f->C_SignInit(session, &ecdsa, private);

    if (code == CKR_OK)
        code = f->C_Sign(session, digest, sizeof digest, out, &length);
    if (code != CKR_OK && strict) {
        printf("C_Sign: 0x%lx\n", (unsigned long)code);
        fflush(stdout);
        _exit(3);
    }
    done++;
    return code == CKR_OK;
}

static int writes(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE data[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, 1}, {CKA_LABEL, "left", 4}};
    CK_OBJECT_HANDLE object;
    CK_RV code = f->C_CreateObject(session, data, 3, &object);

    if (code == CKR_OK)
        written++;
    done++;
    return code == CKR_OK;
}

static void *sign_on(void *session)
{
    while (signs((CK_SESSION_HANDLE)session))
        ;
    return NULL;
}

static void *write_on(void *session)
{
    while (writes((CK_SESSION_HANDLE)session))
        ;
    return NULL;
}

static void *sign_for_a_while(void *session)
{
    int i;

    for (i = 0; i < 50; i++)
        signs((CK_SESSION_HANDLE)session);
    writes((CK_SESSION_HANDLE)session);
    printf("acknowledged %d\n", written);
    fflush(stdout);
    return NULL;
}

static void *leave(void *unused)
{
    (void)unused;
    while (done < 20)
        usleep(100);
    printf("acknowledged %d\n", written);
    fflush(stdout);
    exit(0);
}

static void say_late(void)
{
    printf("acknowledged %d\nlate calls done\n", written);
    fflush(stdout);
}

static void sign_late(void)
{
    signs(sessions[THREADS]);
    writes(sessions[THREADS]);
    say_late();
}

static void finalise_late(void)
{
    must(f->C_Finalize(NULL), "C_Finalize in a handler");
    say_late();
}

/* Runs when a thread ends, after the thread-local values of the module are gone, and once more after that. */
static void at_thread_end(void *round)
{
    signs(sessions[THREADS]);
    writes(sessions[THREADS]);
    if ((size_t)round > 1)
        pthread_setspecific(value, (void *)((size_t)round - 1));
    else
        say_late();
}

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern void *__dso_handle;

static void at_thread_end_first(void *unused)
{
    (void)unused;
    signs(sessions[THREADS]);
}

static void *short_life(void *session)
{
    /* Registered before the module is called in this thread, so it runs after what the module registers here. */
    __cxa_thread_atexit_impl(at_thread_end_first, NULL, &__dso_handle);
    pthread_setspecific(value, (void *)3);
    signs((CK_SESSION_HANDLE)session);
    writes((CK_SESSION_HANDLE)session);
    return NULL;
}

static void count(void)
{
    CK_ATTRIBUTE named[] = {{CKA_LABEL, "left", 4}};
    CK_OBJECT_HANDLE found[8192];
    CK_ULONG number = 0;

    must(f->C_FindObjectsInit(sessions[0], named, 1), "C_FindObjectsInit");
    must(f->C_FindObjects(sessions[0], found, 8192, &number), "C_FindObjects");
    must(f->C_FindObjectsFinal(sessions[0]), "C_FindObjectsFinal");
    sign(sessions[0], private);
    printf("there %lu\n", (unsigned long)number);
}

static pthread_t start(void *(*work)(void *), CK_SESSION_HANDLE session)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, work, (void *)session) != 0)
        exit(3);
    return thread;
}

int main(int argc, char **argv)
{
    const char *way = argc > 2 ? argv[2] : "";
    void *(*work)(void *) = strcmp(way, "exit-write") == 0 ? write_on : sign_on;
    CK_SLOT_ID slot;
    int i;

    if (strcmp(way, "handlers") == 0)
        atexit(sign_late);
    load(argv[1], 0);
    must(f->C_Initialize(NULL), "C_Initialize");
    sessions[0] = user();
    private = key(sessions[0], CK_TRUE);
    slot = token();
    for (i = 1; i <= THREADS; i++)
        must(f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &sessions[i]), "C_OpenSession");
    if (strcmp(way, "count") == 0) {
        count();
    } else if (strcmp(way, "handlers") == 0) {
        atexit(sign_late);
    } else if (strcmp(way, "quick") == 0) {
        at_quick_exit(sign_late);
        start(sign_on, sessions[0]);
        quick_exit(0);
    } else if (strcmp(way, "main-gone") == 0) {
        for (i = 0; i < THREADS; i++)
            pthread_detach(start(sign_for_a_while, sessions[i]));
        pthread_key_create(&value, at_thread_end);
        pthread_setspecific(value, (void *)3);
        pthread_exit(NULL);
    } else if (strcmp(way, "thread-ends") == 0) {
        pthread_key_create(&value, at_thread_end);
        for (i = 0; i < THREADS; i++)
            pthread_join(start(short_life, sessions[i]), NULL);
    } else {
        strict = strcmp(way, "finalise-handler") != 0;
        if (!strict)
            atexit(finalise_late);
        for (i = 0; i < THREADS; i++)
            start(work, sessions[i]);
        start(leave, 0);
        pause();
    }
    return 0;
}
