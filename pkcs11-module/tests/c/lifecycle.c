/* The life of the library in a host process, one scene a run: lifecycle MODULE SCENE.
 * Ends with 0 when the scene went as it must; prints what did not. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perilune.h"

#define THREADS 8

static CK_FUNCTION_LIST *functions;
static const char *path;

#define EXPECT(wanted, call)                                                         \
    do {                                                                             \
        CK_RV got_ = (call);                                                         \
        if (got_ != (CK_RV)(wanted)) {                                               \
            fprintf(stderr, "line %d: %s answers 0x%lx\n", __LINE__, #call, got_);   \
            _exit(1);                                                                \
        }                                                                            \
    } while (0)

static void *load(int flags)
{
    CK_C_GetFunctionList get_function_list;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(1);
    }
    *(void **)&get_function_list = dlsym(module, "C_GetFunctionList");
    EXPECT(CKR_OK, get_function_list(&functions));
    return module;
}

/* Session 1 of slot 0 does not exist in any scene: what counts is which error comes. */
static CK_RV any_call(void)
{
    CK_INFO info;
    return functions->C_GetInfo(&info);
}

static void forms(void)
{
    CK_C_INITIALIZE_ARGS arguments;
    CK_FLAGS flags;

    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, any_call());
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, functions->C_Finalize(NULL));
    for (flags = 0; flags < 4; flags++) {
        memset(&arguments, 0, sizeof(arguments));
        arguments.flags = flags;
        EXPECT(CKR_OK, functions->C_Initialize(&arguments));
        EXPECT(CKR_CRYPTOKI_ALREADY_INITIALIZED, functions->C_Initialize(NULL));
        EXPECT(CKR_ARGUMENTS_BAD, functions->C_Finalize(&arguments));
        EXPECT(CKR_OK, any_call());
        EXPECT(CKR_OK, functions->C_Finalize(NULL));
        EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, any_call());
    }
    arguments.pReserved = &arguments;
    EXPECT(CKR_ARGUMENTS_BAD, functions->C_Initialize(&arguments));
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, any_call());
}

static pthread_barrier_t barrier;

static void *racer(void *unused)
{
    CK_RV rv;
    (void)unused;
    pthread_barrier_wait(&barrier);
    rv = functions->C_Initialize(NULL);
    /* Whoever comes second finds a library that works. */
    EXPECT(CKR_OK, any_call());
    return (void *)(size_t)rv;
}

static void race(void)
{
    pthread_t threads[THREADS];
    void *rv;
    int i, round, winners;

    for (round = 0; round < 5; round++) {
        winners = 0;
        pthread_barrier_init(&barrier, NULL, THREADS);
        for (i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, racer, NULL);
        for (i = 0; i < THREADS; i++) {
            pthread_join(threads[i], &rv);
            if (rv == (void *)CKR_OK)
                winners++;
            else
                EXPECT(CKR_CRYPTOKI_ALREADY_INITIALIZED, (CK_RV)(size_t)rv);
        }
        EXPECT(1, (CK_RV)winners);
        EXPECT(CKR_OK, functions->C_Finalize(NULL));
    }
}

static volatile int stop;

static void *caller(void *unused)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count;
    CK_RV rv;

    while (!stop) {
        count = 64;
        rv = functions->C_GetSlotList(CK_FALSE, slots, &count);
        if (rv != CKR_OK)
            EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, rv);
    }
    return unused;
}

/* The library ends and begins again while other threads are calling it. */
static void finalize_under_load(void)
{
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    for (i = 0; i < 20; i++) {
        EXPECT(CKR_OK, functions->C_Initialize(NULL));
        usleep(1000);
        EXPECT(CKR_OK, functions->C_Finalize(NULL));
    }
    stop = 1;
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void reap(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT(0, (CK_RV)status);
}

static void fork_once(void)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        alarm(60);
        EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, any_call());
        EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, functions->C_CloseSession(1));
        EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, functions->C_Finalize(NULL));
        EXPECT(CKR_OK, functions->C_Initialize(NULL));
        EXPECT(CKR_OK, any_call());
        /* A daemon forks twice. */
        child = fork();
        if (child == 0) {
            alarm(60);
            EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, any_call());
            EXPECT(CKR_OK, functions->C_Initialize(NULL));
            EXPECT(CKR_OK, functions->C_Finalize(NULL));
            exit(0);
        }
        reap(child);
        EXPECT(CKR_OK, any_call());
        exit(0);
    }
    reap(child);
}

static void forks(void)
{
    pthread_t threads[THREADS];
    int i;

    fork_once();
    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    fork_once();
    EXPECT(CKR_OK, any_call());
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    for (i = 0; i < 20; i++)
        fork_once();
    stop = 1;
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EXPECT(CKR_OK, functions->C_Finalize(NULL));
}

/* A program that is started in the usual way, and loads the library itself, does not meet what its parent is doing. */
static void vfork_and_exec(void)
{
    pthread_t threads[THREADS];
    char *arguments[] = {"lifecycle", (char *)path, "forms", NULL};
    pid_t child;
    int i;

    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    for (i = 0; i < 10; i++) {
        child = vfork();
        if (child == 0) {
            execv("/proc/self/exe", arguments);
            _exit(127);
        }
        reap(child);
        EXPECT(CKR_OK, any_call());
    }
    stop = 1;
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EXPECT(CKR_OK, functions->C_Finalize(NULL));
}

/* Nobody has called the library yet, and the fork comes while it is begun for the first time. */
static void *first_opener(void *unused)
{
    pthread_barrier_wait(&barrier);
    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    return unused;
}

static void fork_during_first_initialize(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, first_opener, NULL);
    pthread_barrier_wait(&barrier);
    fork_once();
    pthread_join(thread, NULL);
    EXPECT(CKR_OK, any_call());
}

static void *opener(void *unused)
{
    CK_RV rv;
    while (!stop) {
        rv = functions->C_Initialize(NULL);
        if (rv != CKR_OK)
            EXPECT(CKR_CRYPTOKI_ALREADY_INITIALIZED, rv);
        rv = functions->C_Finalize(NULL);
        if (rv != CKR_OK)
            EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, rv);
    }
    return unused;
}

/* The fork comes while other threads begin and end the library. */
static void fork_during_initialize(void)
{
    pthread_t threads[2];
    int i;

    for (i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, opener, NULL);
    for (i = 0; i < 20; i++)
        fork_once();
    stop = 1;
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void late_calls(void)
{
    CK_INFO info;
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    CK_UTF8CHAR label[32];

    EXPECT(CKR_OK, functions->C_GetInfo(&info));
    EXPECT(CKR_OK, functions->C_GetSlotList(CK_FALSE, slots, &count));
    /* A transaction on the store, which has threads of its own while it runs. */
    memset(label, ' ', sizeof(label));
    EXPECT(CKR_OK, functions->C_InitToken(slots[0], (CK_UTF8CHAR *)"12345678", 8, label));
    EXPECT(CKR_SESSION_HANDLE_INVALID, functions->C_CloseSession(4711));
    EXPECT(CKR_OK, functions->C_Finalize(NULL));
    EXPECT(CKR_CRYPTOKI_NOT_INITIALIZED, functions->C_GetInfo(&info));
}

/* An exit handler that was registered before the library was loaded runs after everything of it. */
static void at_exit(void)
{
    atexit(late_calls);
    load(0);
    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    EXPECT(CKR_OK, any_call());
    exit(0);
}

static void reload(void)
{
    void *module;
    int i;

    for (i = 0; i < 3; i++) {
        module = load(0);
        EXPECT(CKR_OK, functions->C_Initialize(NULL));
        EXPECT(CKR_OK, any_call());
        EXPECT(CKR_OK, functions->C_Finalize(NULL));
        dlclose(module);
    }
    /* The fork handlers must still be code. */
    fork_once();
}

static void *thread_that_ends(void *unused)
{
    EXPECT(CKR_OK, any_call());
    return unused;
}

/* A thread that has called the library ends after the host has closed it. */
static void close_before_thread_ends(void)
{
    pthread_t thread;
    void *module = load(0);
    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    pthread_create(&thread, NULL, thread_that_ends, NULL);
    pthread_join(thread, NULL);
    EXPECT(CKR_OK, functions->C_Finalize(NULL));
    dlclose(module);
}

static void without_finalize(void)
{
    EXPECT(CKR_OK, functions->C_Initialize(NULL));
    EXPECT(CKR_OK, any_call());
    exit(0);
}

static void deep_bind(void)
{
    load(RTLD_DEEPBIND);
    forms();
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
        int loads_itself;
    } scenes[] = {
        {"forms", forms, 0},
        {"race", race, 0},
        {"finalize_under_load", finalize_under_load, 0},
        {"forks", forks, 0},
        {"vfork_and_exec", vfork_and_exec, 0},
        {"fork_during_first_initialize", fork_during_first_initialize, 0},
        {"fork_during_initialize", fork_during_initialize, 0},
        {"at_exit", at_exit, 1},
        {"reload", reload, 1},
        {"close_before_thread_ends", close_before_thread_ends, 1},
        {"without_finalize", without_finalize, 0},
        {"deep_bind", deep_bind, 1},
    };
    size_t i;

    if (count != 3)
        return 2;
    path = arguments[1];
    alarm(240);
    for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        if (strcmp(arguments[2], scenes[i].name) == 0) {
            if (!scenes[i].loads_itself)
                load(0);
            scenes[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no scene %s\n", arguments[2]);
    return 2;
}
