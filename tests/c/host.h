/*
 * What the test hosts share: load the module, find or make the token, log in, sign.
 *
 * Every step that fails ends the program with its name, so that a test sees where.
 */
#ifndef PERILUNE_TEST_HOST_H
#define PERILUNE_TEST_HOST_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

#define SO_PIN "so-pin-4711"
#define USER_PIN "user-pin-0815"

static CK_FUNCTION_LIST *f;
static void *library;

static void must(CK_RV code, const char *step)
{
    if (code != CKR_OK) {
        printf("%s: 0x%lx\n", step, (unsigned long)code);
        exit(3);
    }
}

/* Loads the module with extra dlopen flags and initialises nothing. */
static void load(const char *path, int flags)
{
    CK_RV (*list)(CK_FUNCTION_LIST **);

    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
    if (library == NULL) {
        printf("dlopen: %s\n", dlerror());
        exit(3);
    }
    *(void **)&list = dlsym(library, "C_GetFunctionList");
    if (list == NULL) {
        printf("dlsym: %s\n", dlerror());
        exit(3);
    }
    must(list(&f), "C_GetFunctionList");
}

/* The slot of the token "host", made if it is not there yet. */
static CK_SLOT_ID token(void)
{
    CK_SLOT_ID slots[16], free_slot = 0;
    CK_ULONG count = 16, i;
    CK_TOKEN_INFO info;
    CK_UTF8CHAR label[32];
    CK_SESSION_HANDLE session;
    int made;

    memset(label, ' ', sizeof label);
    memcpy(label, "host", 4);
    for (made = 0; made < 2; made++) {
        count = 16;
        must(f->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
        for (i = 0; i < count; i++) {
            must(f->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
            if (memcmp(info.label, label, sizeof label) == 0)
                return slots[i];
            if (!(info.flags & CKF_TOKEN_INITIALIZED))
                free_slot = slots[i];
        }
        must(f->C_InitToken(free_slot, (CK_UTF8CHAR *)SO_PIN, strlen(SO_PIN), label), "C_InitToken");
        count = 16;
        must(f->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
        for (i = 0; i < count; i++) {
            must(f->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
            if (memcmp(info.label, label, sizeof label) == 0)
                break;
        }
        must(f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
        must(f->C_Login(session, CKU_SO, (CK_UTF8CHAR *)SO_PIN, strlen(SO_PIN)), "C_Login (SO)");
        must(f->C_InitPIN(session, (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN)), "C_InitPIN");
        must(f->C_Logout(session), "C_Logout");
        must(f->C_CloseSession(session), "C_CloseSession");
    }
    printf("no token\n");
    exit(3);
}

/* A session of the user of the token "host". */
static CK_SESSION_HANDLE user(void)
{
    CK_SESSION_HANDLE session;

    must(f->C_OpenSession(token(), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
    must(f->C_Login(session, CKU_USER, (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN)), "C_Login");
    return session;
}

/* Makes a P-256 pair in the session, or finds the private key of the one in the token. */
static inline CK_OBJECT_HANDLE key(CK_SESSION_HANDLE session, CK_BBOOL kept)
{
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BBOOL yes = CK_TRUE;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, curve, sizeof curve}, {CKA_TOKEN, &kept, sizeof kept}};
    CK_ATTRIBUTE private[] = {{CKA_SIGN, &yes, sizeof yes}, {CKA_TOKEN, &kept, sizeof kept}};
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &kept, sizeof kept}};
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE one, other;
    CK_ULONG count = 0;

    must(f->C_FindObjectsInit(session, wanted, 2), "C_FindObjectsInit");
    must(f->C_FindObjects(session, &other, 1, &count), "C_FindObjects");
    must(f->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (count == 0)
        must(f->C_GenerateKeyPair(session, &generate, public, 2, private, 2, &one, &other), "C_GenerateKeyPair");
    return other;
}

static inline void sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE with)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {1}, signature[64];
    CK_ULONG length = sizeof signature;

    must(f->C_SignInit(session, &ecdsa, with), "C_SignInit");
    must(f->C_Sign(session, digest, sizeof digest, signature, &length), "C_Sign");
    if (length != sizeof signature)
        must(CKR_GENERAL_ERROR, "length of the signature");
}

#endif
