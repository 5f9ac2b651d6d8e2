/*
 * A host with the module twice in its process: in its own namespace and in a second one (dlmopen), each with a C library of its own.
 *
 *   two MODULE
 *
 * Both sign, one sees what the other writes, one is finalised, the other goes on, and the process leaves without a word to it.
 */
#include "host.h"

static CK_FUNCTION_LIST *load_apart(const char *path)
{
    void *apart = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
    CK_RV (*list)(CK_FUNCTION_LIST **);
    CK_FUNCTION_LIST *other = NULL;

    if (apart == NULL) {
        printf("dlmopen: %s\n", dlerror());
        exit(3);
    }
    *(void **)&list = dlsym(apart, "C_GetFunctionList");
    must(list == NULL ? CKR_GENERAL_ERROR : list(&other), "C_GetFunctionList");
    return other;
}

int main(int argc, char **argv)
{
    CK_FUNCTION_LIST *list[2];
    CK_SESSION_HANDLE session[2];
    CK_OBJECT_HANDLE private[2];
    int i, round;

    if (argc < 2)
        return 2;
    load(argv[1], 0);
    list[0] = f;
    list[1] = load_apart(argv[1]);
    if (list[0] == list[1])
        must(CKR_GENERAL_ERROR, "two instances");
    for (i = 0; i < 2; i++) {
        f = list[i];
        must(f->C_Initialize(NULL), "C_Initialize");
    }
    for (i = 0; i < 2; i++) {
        f = list[i];
        session[i] = user();
        private[i] = key(session[i], CK_TRUE);
    }
    for (round = 0; round < 20; round++) {
        f = list[round % 2];
        sign(session[round % 2], private[round % 2]);
    }
    must(list[0]->C_Finalize(NULL), "C_Finalize");
    sign(session[1], private[1]);
    printf("both signed\n");
    return 0;
}
