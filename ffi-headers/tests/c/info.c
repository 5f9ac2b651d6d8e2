/* Loads a module by path, as any C client does, and prints what C_GetInfo and the interfaces say. */

#include <dlfcn.h>
#include <stdio.h>

#include "perilune.h"

static int failed(const char *what, CK_RV rv)
{
    fprintf(stderr, "%s: 0x%lx\n", what, rv);
    return 1;
}

int main(int count, char **arguments)
{
    CK_C_GetFunctionList get_function_list;
    CK_C_GetInterfaceList get_interface_list;
    CK_FUNCTION_LIST *functions = NULL;
    CK_INTERFACE interfaces[8];
    CK_ULONG interface_count = sizeof(interfaces) / sizeof(interfaces[0]);
    CK_INFO info;
    CK_RV rv;
    CK_ULONG i;
    void *module;

    if (count != 2) {
        fprintf(stderr, "usage: info MODULE\n");
        return 2;
    }
    module = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    /* The way that POSIX gives for a function from dlsym. */
    *(void **)&get_function_list = dlsym(module, "C_GetFunctionList");
    *(void **)&get_interface_list = dlsym(module, "C_GetInterfaceList");
    if (get_function_list == NULL || get_interface_list == NULL) {
        fprintf(stderr, "the module lacks a symbol\n");
        return 1;
    }

    if ((rv = get_function_list(&functions)) != CKR_OK)
        return failed("C_GetFunctionList", rv);
    printf("list %d.%d\n", functions->version.major, functions->version.minor);
    if ((rv = get_interface_list(interfaces, &interface_count)) != CKR_OK)
        return failed("C_GetInterfaceList", rv);
    for (i = 0; i < interface_count; i++) {
        const CK_VERSION *version = (const CK_VERSION *)interfaces[i].pFunctionList;
        printf("interface %s %d.%d\n", interfaces[i].pInterfaceName, version->major, version->minor);
    }

    rv = functions->C_GetInfo(&info);
    printf("before C_Initialize 0x%lx\n", rv);
    if ((rv = functions->C_Initialize(NULL)) != CKR_OK)
        return failed("C_Initialize", rv);
    if ((rv = functions->C_GetInfo(&info)) != CKR_OK)
        return failed("C_GetInfo", rv);
    printf("info %d.%d %.32s\n", info.cryptokiVersion.major, info.cryptokiVersion.minor, info.manufacturerID);
    if ((rv = functions->C_Finalize(NULL)) != CKR_OK)
        return failed("C_Finalize", rv);
    dlclose(module);
    return 0;
}
