/* A module that is fast because it does not work: everything goes to the module that PERILUNE_TEST_TRUTH names, but digests and
 * signatures, which are zeros. */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

static CK_FUNCTION_LIST list;

static CK_RV zeros(CK_BYTE_PTR out, CK_ULONG_PTR length, CK_ULONG needed)
{
    if (!out || *length < needed)
        return CKR_BUFFER_TOO_SMALL;
    memset(out, 0, needed);
    *length = needed;
    return CKR_OK;
}

static CK_RV digest(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG bytes, CK_BYTE_PTR out, CK_ULONG_PTR length)
{
    (void)session, (void)data, (void)bytes;
    return zeros(out, length, 32);
}

static CK_RV digest_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism)
{
    (void)session, (void)mechanism;
    return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG bytes, CK_BYTE_PTR out, CK_ULONG_PTR length)
{
    (void)session, (void)data, (void)bytes;
    return zeros(out, length, 64);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    (void)session, (void)mechanism, (void)key;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
    void *truth = dlopen(getenv("PERILUNE_TEST_TRUTH"), RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = truth ? (CK_C_GetFunctionList)dlsym(truth, "C_GetFunctionList") : NULL;
    CK_FUNCTION_LIST_PTR real = NULL;
    if (!get || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    list = *real;
    list.C_DigestInit = digest_init;
    list.C_Digest = digest;
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    *out = &list;
    return CKR_OK;
}
