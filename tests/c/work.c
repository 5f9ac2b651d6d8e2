/*
 * A host that does something of everything, rightly and wrongly, for a tool that watches its memory.
 *
 *   work MODULE ROUNDS|overrun|lose|race
 *
 * Operations are finished, abandoned and refused; threads come and go; a child is forked; C_Finalize comes
 * while a thread signs; the last round ends without C_Finalize. "overrun", "lose" and "race" are faults that the tool must find.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE text[1000];
static pthread_barrier_t signing;

static void expect(CK_RV code, CK_RV wanted, const char *step)
{
    if (code != wanted) {
        printf("%s: 0x%lx, not 0x%lx\n", step, (unsigned long)code, (unsigned long)wanted);
        exit(3);
    }
}

static CK_OBJECT_HANDLE aes(CK_SESSION_HANDLE session, CK_BBOOL kept)
{
    CK_ULONG bytes = 32;
    CK_ATTRIBUTE key[] = {{CKA_VALUE_LEN, &bytes, sizeof bytes}, {CKA_TOKEN, &kept, 1}, {CKA_ENCRYPT, &yes, 1},
                          {CKA_DECRYPT, &yes, 1}, {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1},
                          {CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1}};
    CK_MECHANISM generate = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE made;

    must(f->C_GenerateKey(session, &generate, key, COUNT(key), &made), "C_GenerateKey");
    return made;
}

static void ciphers(CK_SESSION_HANDLE session)
{
    CK_BYTE iv[16] = {1}, out[1100], back[1100];
    CK_GCM_PARAMS gcm = {iv, 12, 96, text, 20, 128};
    CK_MECHANISM list[] = {{CKM_AES_GCM, &gcm, sizeof gcm}, {CKM_AES_CBC_PAD, iv, 16}, {CKM_AES_CTR, NULL, 0}};
    CK_AES_CTR_PARAMS counter = {128, {7}};
    CK_OBJECT_HANDLE key = aes(session, CK_FALSE), copy;
    CK_ULONG length, part, i;

    list[2].pParameter = &counter;
    list[2].ulParameterLen = sizeof counter;
    for (i = 0; i < COUNT(list); i++) {
        length = sizeof out;
        must(f->C_EncryptInit(session, &list[i], key), "C_EncryptInit");
        must(f->C_Encrypt(session, text, sizeof text, out, &length), "C_Encrypt");
        part = sizeof back;
        must(f->C_DecryptInit(session, &list[i], key), "C_DecryptInit");
        must(f->C_Decrypt(session, out, length, back, &part), "C_Decrypt");
        if (part != sizeof text || memcmp(text, back, part) != 0)
            expect(CKR_DATA_INVALID, CKR_OK, "what came back");
        /* In parts, and given up after the first. */
        part = sizeof back;
        must(f->C_EncryptInit(session, &list[i], key), "C_EncryptInit");
        must(f->C_EncryptUpdate(session, text, 100, back, &part), "C_EncryptUpdate");
        expect(f->C_EncryptInit(session, &list[i], key), CKR_OPERATION_ACTIVE, "C_EncryptInit twice");
        part = 0;
        f->C_EncryptFinal(session, back, &part);
        part = sizeof back;
        f->C_EncryptFinal(session, back, &part);
    }
    length = sizeof out;
    must(f->C_EncryptInit(session, &list[0], key), "C_EncryptInit");
    must(f->C_Encrypt(session, text, 100, out, &length), "C_Encrypt");
    out[3] ^= 1;
    part = sizeof back;
    must(f->C_DecryptInit(session, &list[0], key), "C_DecryptInit");
    expect(f->C_Decrypt(session, out, length, back, &part), CKR_ENCRYPTED_DATA_INVALID, "C_Decrypt of altered data");
    must(f->C_CopyObject(session, key, NULL, 0, &copy), "C_CopyObject");
    must(f->C_DestroyObject(session, copy), "C_DestroyObject");
    must(f->C_EncryptInit(session, &list[1], key), "C_EncryptInit, left active");
}

static void digests(CK_SESSION_HANDLE session)
{
    CK_MECHANISM_TYPE types[] = {CKM_SHA_1, CKM_SHA256, CKM_SHA384, CKM_SHA512};
    CK_MECHANISM mechanism = {0, NULL, 0};
    CK_BYTE out[64];
    CK_ULONG length, i;

    for (i = 0; i < COUNT(types); i++) {
        mechanism.mechanism = types[i];
        must(f->C_DigestInit(session, &mechanism), "C_DigestInit");
        must(f->C_DigestUpdate(session, text, sizeof text), "C_DigestUpdate");
        length = 4;
        expect(f->C_DigestFinal(session, out, &length), CKR_BUFFER_TOO_SMALL, "C_DigestFinal");
        must(f->C_DigestFinal(session, out, &length), "C_DigestFinal");
    }
    must(f->C_DigestInit(session, &mechanism), "C_DigestInit, left active");
    f->C_SeedRandom(session, text, 20);
    must(f->C_GenerateRandom(session, out, sizeof out), "C_GenerateRandom");
}

static void rsa(CK_SESSION_HANDLE session)
{
    CK_ULONG bits = 2048, length, i;
    CK_BYTE exponent[] = {1, 0, 1}, out[256], back[256];
    CK_ATTRIBUTE public[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, 3}};
    CK_ATTRIBUTE private[] = {{CKA_SIGN, &yes, 1}, {CKA_DECRYPT, &yes, 1}, {CKA_EXTRACTABLE, &yes, 1},
                              {CKA_SENSITIVE, &no, 1}};
    CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
    CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    CK_MECHANISM generate = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}, seal = {CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep};
    CK_MECHANISM signs[] = {{CKM_SHA256_RSA_PKCS, NULL, 0}, {CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss}};
    CK_OBJECT_HANDLE one, other;

    must(f->C_GenerateKeyPair(session, &generate, public, 2, private, 4, &one, &other), "C_GenerateKeyPair (RSA)");
    for (i = 0; i < COUNT(signs); i++) {
        length = sizeof out;
        must(f->C_SignInit(session, &signs[i], other), "C_SignInit");
        must(f->C_Sign(session, text, sizeof text, out, &length), "C_Sign");
        must(f->C_VerifyInit(session, &signs[i], one), "C_VerifyInit");
        must(f->C_Verify(session, text, sizeof text, out, length), "C_Verify");
        out[0] ^= 1;
        must(f->C_VerifyInit(session, &signs[i], one), "C_VerifyInit");
        expect(f->C_Verify(session, text, sizeof text, out, length), CKR_SIGNATURE_INVALID, "C_Verify of altered data");
    }
    length = sizeof out;
    must(f->C_EncryptInit(session, &seal, one), "C_EncryptInit (OAEP)");
    must(f->C_Encrypt(session, text, 100, out, &length), "C_Encrypt (OAEP)");
    bits = sizeof back;
    must(f->C_DecryptInit(session, &seal, other), "C_DecryptInit (OAEP)");
    must(f->C_Decrypt(session, out, length, back, &bits), "C_Decrypt (OAEP)");
    must(f->C_SignInit(session, &signs[0], other), "C_SignInit, left active");
}

static void wrapping(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE one = aes(session, CK_FALSE), other = aes(session, CK_FALSE), again;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE as[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}};
    CK_MECHANISM wrap = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_BYTE out[64];
    CK_ULONG length = sizeof out;

    must(f->C_WrapKey(session, &wrap, one, other, out, &length), "C_WrapKey");
    must(f->C_UnwrapKey(session, &wrap, one, out, length, as, 2, &again), "C_UnwrapKey");
    out[0] ^= 1;
    f->C_UnwrapKey(session, &wrap, one, out, length, as, 2, &again);
}

static void agreement(CK_SESSION_HANDLE session)
{
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, point[80];
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG bytes = 32;
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, curve, sizeof curve}}, private[] = {{CKA_DERIVE, &yes, 1}};
    CK_ATTRIBUTE of = {CKA_EC_POINT, point, sizeof point};
    CK_ATTRIBUTE as[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type},
                         {CKA_VALUE_LEN, &bytes, sizeof bytes}};
    CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, 0, point};
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, derive = {CKM_ECDH1_DERIVE, &ecdh, sizeof ecdh};
    CK_OBJECT_HANDLE one, other, secret;

    must(f->C_GenerateKeyPair(session, &generate, public, 1, private, 1, &one, &other), "C_GenerateKeyPair (EC)");
    must(f->C_GetAttributeValue(session, one, &of, 1), "C_GetAttributeValue");
    ecdh.ulPublicDataLen = of.ulValueLen;
    must(f->C_DeriveKey(session, &derive, other, as, 3, &secret), "C_DeriveKey");
    point[10] ^= 1;
    f->C_DeriveKey(session, &derive, other, as, 3, &secret);
}

static void objects(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BYTE value[300];
    CK_ATTRIBUTE data[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
                           {CKA_LABEL, "first", 5}, {CKA_VALUE, text, 200}};
    CK_ATTRIBUTE renamed[] = {{CKA_LABEL, "second", 6}};
    CK_ATTRIBUTE asked[] = {{CKA_VALUE, value, sizeof value}, {CKA_LABEL, value, 1}, {CKA_MODULUS, NULL, 0}};
    CK_OBJECT_HANDLE object, found[10];
    CK_ULONG count = 0;

    must(f->C_CreateObject(session, data, 5, &object), "C_CreateObject");
    must(f->C_SetAttributeValue(session, object, renamed, 1), "C_SetAttributeValue");
    must(f->C_GetAttributeValue(session, object, asked, 1), "C_GetAttributeValue");
    if (f->C_GetAttributeValue(session, object, asked, 3) == CKR_OK)
        expect(CKR_OK, CKR_BUFFER_TOO_SMALL, "C_GetAttributeValue with too little room");
    must(f->C_FindObjectsInit(session, renamed, 1), "C_FindObjectsInit");
    must(f->C_FindObjects(session, found, 10, &count), "C_FindObjects");
    if (count != 1)
        expect(CKR_GENERAL_ERROR, CKR_OK, "the object is found once");
    must(f->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    must(f->C_DestroyObject(session, object), "C_DestroyObject");
    expect(f->C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID, "C_DestroyObject twice");
    must(f->C_FindObjectsInit(session, NULL, 0), "C_FindObjectsInit, left active");
}

static void misuse(CK_SESSION_HANDLE session)
{
    CK_MECHANISM none = {0x7fffffff, NULL, 3}, gcm = {CKM_AES_GCM, NULL, 0};
    CK_ATTRIBUTE broken[] = {{CKA_LABEL, NULL, 7}, {0x7fffffff, text, 3}};
    CK_OBJECT_HANDLE object;
    CK_ULONG count = (CK_ULONG)-1;

    f->C_GetSlotList(CK_TRUE, NULL, NULL);
    f->C_SignInit(session, NULL, 0);
    f->C_SignInit(session, &none, 1);
    f->C_EncryptInit(session, &gcm, 1);
    f->C_CreateObject(session, broken, 2, &object);
    f->C_CreateObject(session, NULL, 2, &object);
    f->C_CreateObject(session, broken, count, &object);
    f->C_GenerateRandom(session, NULL, 5);
    f->C_Sign(session, text, 3, text, &count);
    f->C_GetSessionInfo(0, NULL);
    f->C_CloseSession(~0UL);
    f->C_GetFunctionStatus(session);
}

/* Does the work in a session of its own, which ends with whatever the work left active. */
static void in_session(CK_SLOT_ID slot, void (*work)(CK_SESSION_HANDLE))
{
    CK_SESSION_HANDLE session;

    must(f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
    work(session);
    must(f->C_CloseSession(session), "C_CloseSession");
}

static void *in_thread(void *slot)
{
    in_session((CK_SLOT_ID)slot, digests);
    return NULL;
}

/* Signs until the library is taken away. */
static void *until_the_end(void *slot)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_SESSION_HANDLE session;
    CK_BYTE digest[32] = {1}, out[64];
    CK_ULONG length;
    CK_OBJECT_HANDLE with;

    must(f->C_OpenSession((CK_SLOT_ID)slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession in a thread");
    with = key(session, CK_TRUE);
    pthread_barrier_wait(&signing);
    do
        length = sizeof out;
    while (f->C_SignInit(session, &ecdsa, with) == CKR_OK && f->C_Sign(session, digest, 32, out, &length) == CKR_OK);
    return NULL;
}

static void pins(CK_SESSION_HANDLE session)
{
    expect(f->C_Login(session, CKU_USER, (CK_UTF8CHAR *)"wrong pin", 9), CKR_USER_ALREADY_LOGGED_IN, "C_Login twice");
    must(f->C_Logout(session), "C_Logout");
    expect(f->C_Login(session, CKU_USER, (CK_UTF8CHAR *)"wrong pin", 9), CKR_PIN_INCORRECT, "C_Login, wrong PIN");
    must(f->C_Login(session, CKU_USER, (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN)), "C_Login");
    must(f->C_SetPIN(session, (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN), (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN)),
         "C_SetPIN");
}

static void forked(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0) {
        alarm(120);
        CK_SESSION_HANDLE session;

        must(f->C_Initialize(NULL), "C_Initialize in the child");
        session = user();
        sign(session, key(session, CK_TRUE));
        must(f->C_Finalize(NULL), "C_Finalize in the child");
        exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        printf("the child ended with status %d\n", status);
        exit(3);
    }
}

/* Lies about the length of a block on the heap, so that the module writes beyond it. */
static void overrun(CK_SESSION_HANDLE session)
{
    CK_BYTE *block = malloc(40);

    must(f->C_GenerateRandom(session, block, 60), "C_GenerateRandom");
    free(block);
}

static void lose(CK_SESSION_HANDLE session)
{
    CK_BYTE *volatile block = malloc(40);

    must(f->C_GenerateRandom(session, block, 40), "C_GenerateRandom");
    block = NULL;
}

static void *in_the_same_room(void *room)
{
    int i;

    for (i = 0; i < 1000; i++)
        must(f->C_GetInfo(room), "C_GetInfo");
    return NULL;
}

/* Has the module write to one place in two threads. */
static void race(CK_SESSION_HANDLE session)
{
    static CK_INFO room;
    pthread_t thread;

    (void)session;
    pthread_create(&thread, NULL, in_the_same_room, &room);
    in_the_same_room(&room);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    int round, rounds = argc > 2 ? atoi(argv[2]) : 0, i;
    void (*works[])(CK_SESSION_HANDLE) = {rsa, pins, ciphers, digests, wrapping, agreement, objects, misuse};
    CK_SESSION_HANDLE session;
    pthread_t threads[3];

    if (argc < 3)
        return 2;
    load(argv[1], 0);
    pthread_barrier_init(&signing, NULL, 4);
    if (rounds == 0) {
        must(f->C_Initialize(NULL), "C_Initialize");
        in_session(token(), strcmp(argv[2], "lose") == 0 ? lose : strcmp(argv[2], "race") == 0 ? race : overrun);
        return 0;
    }
    for (round = 0; round < rounds; round++) {
        must(f->C_Initialize(NULL), "C_Initialize");
        expect(f->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED, "C_Initialize twice");
        session = user();
        sign(session, key(session, CK_TRUE));
        for (i = round == 0 ? 0 : 1; i < (int)COUNT(works); i++)
            in_session(token(), works[i]);
        for (i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, in_thread, (void *)token());
        for (i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        if (round + 1 == rounds)
            break;
        forked();
        for (i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, until_the_end, (void *)token());
        pthread_barrier_wait(&signing);
        sign(session, key(session, CK_TRUE));
        must(f->C_Finalize(NULL), "C_Finalize");
        for (i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        expect(f->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED, "C_Finalize twice");
    }
    printf("worked\n");
    fflush(stdout);
    return 0;
}
