/*
 * What the C examples share: load the module, find a token by its label, open a session, log in.
 *
 * The PIN comes from the variable USER_PIN. Every step that fails ends the program with its name and the
 * return value; a program that lives longer would go on instead.
 */
#ifndef PERILUNE_EXAMPLE_TOKEN_H
#define PERILUNE_EXAMPLE_TOKEN_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

static CK_FUNCTION_LIST *p11;

static void must(CK_RV rv, const char *step)
{
    if (rv != CKR_OK) {
        fprintf(stderr, "%s: 0x%lx\n", step, (unsigned long)rv);
        exit(1);
    }
}

static void stop(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void load(const char *path)
{
    CK_C_GetFunctionList list;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (module == NULL)
        stop(dlerror());
    /* The way that POSIX gives for a function from dlsym. */
    *(void **)&list = dlsym(module, "C_GetFunctionList");
    if (list == NULL)
        stop("the module has no C_GetFunctionList");
    must(list(&p11), "C_GetFunctionList");
}

/* Text of the standard's structures is padded with spaces and has no zero at the end. */
static int is_label(const CK_UTF8CHAR field[32], const char *label)
{
    size_t length = strlen(label), i;

    if (length > 32 || memcmp(field, label, length) != 0)
        return 0;
    for (i = length; i < 32; i++)
        if (field[i] != ' ')
            return 0;
    return 1;
}

static CK_SLOT_ID slot_of(const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof(slots) / sizeof(slots[0]), i;
    CK_TOKEN_INFO info;

    must(p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (i = 0; i < count; i++)
        if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && is_label(info.label, label))
            return slots[i];
    stop("there is no token with this label");
    return 0;
}

/* Loads the module and returns a session in which the token's user is logged in. */
static CK_SESSION_HANDLE open_token(const char *module, const char *label)
{
    CK_C_INITIALIZE_ARGS threads = { .flags = CKF_OS_LOCKING_OK };
    CK_SESSION_HANDLE session;
    char *pin = getenv("USER_PIN");

    if (pin == NULL)
        stop("the variable USER_PIN has no PIN");
    load(module);
    must(p11->C_Initialize(&threads), "C_Initialize");
    must(p11->C_OpenSession(slot_of(label), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
    must(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)), "C_Login");
    return session;
}

static void close_token(CK_SESSION_HANDLE session)
{
    must(p11->C_Logout(session), "C_Logout");
    must(p11->C_CloseSession(session), "C_CloseSession");
    must(p11->C_Finalize(NULL), "C_Finalize");
}

#endif
