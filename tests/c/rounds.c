/*
 * A host that begins and ends again and again, and looks each time what it costs for good.
 *
 *   rounds MODULE WARM COUNT empty|full|reload|reload-open
 *
 * empty: C_Initialize, a list of slots, C_Finalize. full: with a login, a signature and a token object made and destroyed.
 * reload: login and signature, with dlopen before and dlclose after. reload-open: the same without C_Finalize.
 * WARM rounds warm up (caches, arenas, what is made once); in COUNT further ones nothing may grow.
 */
#include <dirent.h>
#include <malloc.h>

#include "host.h"

#define WINDOW 50

struct cost {
    size_t heap;
    long resident_kib;
    int descriptors, threads, mappings;
};

static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = -1;

    /* The folder that is read here is open itself, and holds "." and "..". */
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static struct cost cost(void)
{
    struct mallinfo2 memory = mallinfo2();
    struct cost now = {memory.uordblks + memory.hblkhd, 0, entries("/proc/self/fd"), entries("/proc/self/task"), 0};
    FILE *file = fopen("/proc/self/statm", "r");
    int c;

    if (file == NULL || fscanf(file, "%*d %ld", &now.resident_kib) != 1)
        exit(3);
    now.resident_kib *= 4;
    fclose(file);
    file = fopen("/proc/self/maps", "r");
    while (file != NULL && (c = getc(file)) != EOF)
        now.mappings += c == '\n';
    fclose(file);
    return now;
}

static void use(int write)
{
    CK_SESSION_HANDLE session = user();
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE data[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, 1}, {CKA_LABEL, "round", 5}};
    CK_OBJECT_HANDLE object;

    sign(session, key(session, CK_TRUE));
    if (write) {
        must(f->C_CreateObject(session, data, 3, &object), "C_CreateObject");
        must(f->C_DestroyObject(session, object), "C_DestroyObject");
    }
    /* The session stays open: ending it is C_Finalize's work, or nobody's. */
}

static void round_of(const char *module, const char *what, int number)
{
    int reload = strncmp(what, "reload", 6) == 0, leave = strcmp(what, "reload-open") == 0;
    CK_ULONG count;
    CK_RV code;

    if (reload)
        load(module, 0);
    code = f->C_Initialize(NULL);
    /* The library stays mapped, so what one user of it left initialised, the next one finds so. */
    if (code != (leave && number > 0 ? CKR_CRYPTOKI_ALREADY_INITIALIZED : CKR_OK))
        must(code == CKR_OK ? CKR_GENERAL_ERROR : code, "C_Initialize");
    if (code != CKR_OK)
        must(f->C_CloseAllSessions(token()), "C_CloseAllSessions");
    if (strcmp(what, "empty") == 0)
        must(f->C_GetSlotList(CK_TRUE, NULL, &count), "C_GetSlotList");
    else
        use(!reload);
    if (!leave)
        must(f->C_Finalize(NULL), "C_Finalize");
    if (reload && dlclose(library) != 0)
        must(CKR_GENERAL_ERROR, "dlclose");
}

/* Garbage of the store's engine waits for its turn, so the heap breathes: what counts is the least of the last rounds. */
static struct cost least_of(const char *module, const char *what, int first, int count)
{
    struct cost least = {0}, now;
    int i;

    for (i = 0; i < count; i++) {
        round_of(module, what, first + i);
        if (i < count - WINDOW)
            continue;
        now = cost();
        if (i <= count - WINDOW || now.heap < least.heap)
            least = now;
    }
    return least;
}

static int grown(const char *what, long before, long after, long allowed)
{
    printf("%s: %ld, then %ld\n", what, before, after);
    return after > before + allowed;
}

int main(int argc, char **argv)
{
    int warm, count, bad;
    struct cost before, after;

    warm = argc < 5 ? 0 : atoi(argv[2]);
    count = argc < 5 ? 0 : atoi(argv[3]);
    if (warm < WINDOW || count < WINDOW)
        return 2;
    load(argv[1], 0);
    before = least_of(argv[1], argv[4], 0, warm);
    after = least_of(argv[1], argv[4], warm, count);
    /* One buffer of the engine, 512 KiB, may be the garbage of the moment. */
    bad = grown("heap bytes", before.heap, after.heap, 700 * 1024);
    bad |= grown("resident KiB", before.resident_kib, after.resident_kib, 4 * 1024);
    bad |= grown("descriptors", before.descriptors, after.descriptors, 0);
    bad |= grown("threads", before.threads, after.threads, 0);
    bad |= grown("mappings", before.mappings, after.mappings, 2);
    printf(bad ? "grown\n" : "%d rounds cost nothing for good\n", count);
    return bad ? 4 : 0;
}
