/*
 * A host whose calls are counted in instructions.
 *
 *   cost MODULE prepare          makes the token "host" with 1,000 secret keys and the keys that the calls need
 *   cost MODULE count BATCHES    under a tool that counts what runs inside of `counted`
 *   cost MODULE more BATCHES     the same with a digest of one block more than its row says, which must be noticed
 *
 * The latter two print a line "row CALLS NAME" for each row, call it twice to warm up, and then enter `counted` BATCHES
 * times for it. The keys are copies in the session, except where a row says token. That the host's own loop is counted,
 * too, costs each call some 20 instructions.
 */
#include "host.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])
#define OBJECTS 1000

/* The CKA_ID of the keys that were prepared; those of the objects to be found are below. */
enum { AES = OBJECTS, RSA, EC, EDWARDS };

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE rsa, rsa_public, ec, ec_public, ec_token, edwards, aes, mac;
static CK_BYTE text[16384], out[16384 + 16], signature[64], sealed[256], iv[16] = {1};
static CK_RSA_PKCS_OAEP_PARAMS with_sha256 = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
static CK_MECHANISM oaep = {CKM_RSA_PKCS_OAEP, &with_sha256, sizeof with_sha256};
/* What the digest's row digests. */
static CK_ULONG digested = 64;

/* One row's calls. */
static void info(void)
{
    CK_MECHANISM_INFO about;

    must(f->C_GetMechanismInfo(slot, CKM_ECDSA, &about), "C_GetMechanismInfo");
}

static void sessions(void)
{
    CK_SESSION_HANDLE other;

    must(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &other), "C_OpenSession");
    must(f->C_CloseSession(other), "C_CloseSession");
}

static void attribute(void)
{
    CK_BYTE point[80];
    CK_ATTRIBUTE wanted = {CKA_EC_POINT, point, sizeof point};

    must(f->C_GetAttributeValue(session, ec_public, &wanted, 1), "C_GetAttributeValue");
}

static CK_ULONG search(CK_ATTRIBUTE *wanted, CK_ULONG entries, CK_OBJECT_HANDLE *found)
{
    CK_ULONG count = 0;

    must(f->C_FindObjectsInit(session, wanted, entries), "C_FindObjectsInit");
    must(f->C_FindObjects(session, found, 1, &count), "C_FindObjects");
    must(f->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    return count;
}

static void find(void)
{
    static CK_ULONG turn;
    CK_ULONG id = turn++ * 7 % OBJECTS;
    CK_ATTRIBUTE wanted = {CKA_ID, &id, sizeof id};
    CK_OBJECT_HANDLE one;

    if (search(&wanted, 1, &one) != 1)
        must(CKR_GENERAL_ERROR, "the object that was looked for");
}

static void draw(void)
{
    must(f->C_GenerateRandom(session, out, 32), "C_GenerateRandom");
}

static void digest(void)
{
    CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
    CK_ULONG length = sizeof out;

    must(f->C_DigestInit(session, &sha), "C_DigestInit");
    must(f->C_Digest(session, text, digested, out, &length), "C_Digest");
}

static void sign_with(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG bytes)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_ULONG length = sizeof out;

    must(f->C_SignInit(session, &mechanism, key), "C_SignInit");
    must(f->C_Sign(session, text, bytes, out, &length), "C_Sign");
}

static void sign_hmac(void)
{
    sign_with(CKM_SHA256_HMAC, mac, 64);
}

static void sign_rsa(void)
{
    sign_with(CKM_RSA_PKCS, rsa, 51);
}

static void sign_ec(void)
{
    sign_with(CKM_ECDSA, ec, 32);
}

static void sign_ec_token(void)
{
    sign_with(CKM_ECDSA, ec_token, 32);
}

static void sign_edwards(void)
{
    sign_with(CKM_EDDSA, edwards, 64);
}

static void verify_ec(void)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};

    must(f->C_VerifyInit(session, &ecdsa, ec_public), "C_VerifyInit");
    must(f->C_Verify(session, text, 32, signature, sizeof signature), "C_Verify");
}

static void encrypt_with(CK_MECHANISM *mechanism, CK_ULONG bytes)
{
    CK_ULONG length = sizeof out;

    must(f->C_EncryptInit(session, mechanism, aes), "C_EncryptInit");
    must(f->C_Encrypt(session, text, bytes, out, &length), "C_Encrypt");
}

static void gcm(CK_ULONG bytes)
{
    CK_GCM_PARAMS parameters = {iv, 12, 96, NULL, 0, 128};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};

    encrypt_with(&mechanism, bytes);
}

static void gcm_short(void)
{
    gcm(64);
}

static void gcm_long(void)
{
    gcm(16384);
}

static void cbc(void)
{
    CK_MECHANISM mechanism = {CKM_AES_CBC, iv, sizeof iv};

    encrypt_with(&mechanism, 1024);
}

static void open_oaep(void)
{
    CK_ULONG length = sizeof out;

    must(f->C_DecryptInit(session, &oaep, rsa), "C_DecryptInit");
    must(f->C_Decrypt(session, sealed, sizeof sealed, out, &length), "C_Decrypt");
}

static void session_pair(void)
{
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_ATTRIBUTE public[] = {{CKA_EC_PARAMS, curve, sizeof curve}}, private[] = {{CKA_SIGN, &yes, 1}};
    CK_MECHANISM generate = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE one, other;

    must(f->C_GenerateKeyPair(session, &generate, public, 1, private, 1, &one, &other), "C_GenerateKeyPair");
    must(f->C_DestroyObject(session, one), "C_DestroyObject");
    must(f->C_DestroyObject(session, other), "C_DestroyObject");
}

/* 64 calls with an RSA key, because AWS-LC makes its blinding value anew after 32. */
static const struct row {
    const char *name;
    void (*call)(void);
    int calls;
} rows[] = {
    {"C_GetMechanismInfo", info, 100},
    {"C_OpenSession, C_CloseSession", sessions, 100},
    {"C_GetAttributeValue of CKA_EC_POINT", attribute, 100},
    {"C_FindObjects by CKA_ID among 1,000 of the token, with Init and Final", find, 100},
    {"C_GenerateRandom, 32 bytes", draw, 100},
    {"C_Digest, SHA-256, 64 bytes", digest, 100},
    {"C_Sign, HMAC with SHA-256, 64 bytes", sign_hmac, 100},
    {"C_Encrypt, AES-256-GCM, 64 bytes", gcm_short, 100},
    {"C_Encrypt, AES-256-GCM, 16 KiB", gcm_long, 20},
    {"C_Encrypt, AES-256-CBC, 1 KiB", cbc, 100},
    {"C_Sign, RSA-2048 PKCS", sign_rsa, 64},
    {"C_Decrypt, RSA-2048 OAEP with SHA-256", open_oaep, 64},
    {"C_Sign, ECDSA P-256", sign_ec, 50},
    {"C_Sign, ECDSA P-256, key of the token", sign_ec_token, 50},
    {"C_Verify, ECDSA P-256", verify_ec, 50},
    {"C_Sign, Ed25519, 64 bytes", sign_edwards, 50},
    {"C_GenerateKeyPair, P-256 in the session, with C_DestroyObject", session_pair, 20},
};

/* What is counted: the tool knows this function by its name. */
__attribute__((noinline)) void counted(const struct row *row)
{
    int i;

    for (i = 0; i < row->calls; i++)
        row->call();
}

static void pair(CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public, CK_ULONG entries, CK_ULONG id)
{
    CK_ATTRIBUTE named[6], private[] = {{CKA_TOKEN, &yes, 1}, {CKA_ID, &id, sizeof id}, {CKA_SIGN, &yes, 1},
                                        {CKA_DECRYPT, &yes, 1}};
    CK_MECHANISM generate = {type, NULL, 0};
    CK_OBJECT_HANDLE one, other;

    memcpy(named, public, entries * sizeof *public);
    memcpy(named + entries, private, 2 * sizeof *private);
    must(f->C_GenerateKeyPair(session, &generate, named, entries + 2, private, id == RSA ? 4 : 3, &one, &other),
         "C_GenerateKeyPair");
}

static void secret(CK_KEY_TYPE type, CK_ULONG id)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE key[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_VALUE, text, 32},
                          {CKA_TOKEN, &yes, 1}, {CKA_ID, &id, sizeof id},
                          {type == CKK_AES ? CKA_ENCRYPT : CKA_SIGN, &yes, 1}};
    CK_OBJECT_HANDLE made;

    must(f->C_CreateObject(session, key, COUNT(key), &made), "C_CreateObject");
}

static void prepare(void)
{
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, exponent[] = {1, 0, 1};
    CK_BYTE edwards_curve[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    CK_ULONG bits = 2048, id;
    CK_ATTRIBUTE of_rsa[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, 3},
                             {CKA_ENCRYPT, &yes, 1}};
    CK_ATTRIBUTE of_ec[] = {{CKA_EC_PARAMS, curve, sizeof curve}};
    CK_ATTRIBUTE of_edwards[] = {{CKA_EC_PARAMS, edwards_curve, sizeof edwards_curve}};

    for (id = 0; id < OBJECTS; id++)
        secret(CKK_GENERIC_SECRET, id);
    secret(CKK_AES, AES);
    pair(CKM_RSA_PKCS_KEY_PAIR_GEN, of_rsa, COUNT(of_rsa), RSA);
    pair(CKM_EC_KEY_PAIR_GEN, of_ec, 1, EC);
    pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, of_edwards, 1, EDWARDS);
}

static CK_OBJECT_HANDLE kept(CK_ULONG id, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE wanted[] = {{CKA_ID, &id, sizeof id}, {CKA_CLASS, &class, sizeof class}};
    CK_OBJECT_HANDLE found;

    if (search(wanted, 2, &found) != 1)
        must(CKR_GENERAL_ERROR, "a key that was prepared");
    return found;
}

static CK_OBJECT_HANDLE copied(CK_ULONG id, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE here = {CKA_TOKEN, &no, 1};
    CK_OBJECT_HANDLE copy;

    must(f->C_CopyObject(session, kept(id, class), &here, 1, &copy), "C_CopyObject");
    return copy;
}

static void copy_keys(void)
{
    CK_ULONG length = sizeof sealed;

    aes = copied(AES, CKO_SECRET_KEY);
    mac = copied(0, CKO_SECRET_KEY);
    rsa = copied(RSA, CKO_PRIVATE_KEY);
    rsa_public = copied(RSA, CKO_PUBLIC_KEY);
    ec_token = kept(EC, CKO_PRIVATE_KEY);
    ec = copied(EC, CKO_PRIVATE_KEY);
    ec_public = copied(EC, CKO_PUBLIC_KEY);
    edwards = copied(EDWARDS, CKO_PRIVATE_KEY);
    sign_ec();
    memcpy(signature, out, sizeof signature);
    must(f->C_EncryptInit(session, &oaep, rsa_public), "C_EncryptInit");
    must(f->C_Encrypt(session, text, 32, sealed, &length), "C_Encrypt");
}

static void count(int batches)
{
    size_t i;
    int batch;

    copy_keys();
    for (i = 0; i < COUNT(rows); i++) {
        printf("row %d %s\n", rows[i].calls, rows[i].name);
        rows[i].call();
        rows[i].call();
        for (batch = 0; batch < batches; batch++)
            counted(&rows[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    load(argv[1], 0);
    must(f->C_Initialize(NULL), "C_Initialize");
    slot = token();
    session = user();
    if (strcmp(argv[2], "prepare") == 0)
        prepare();
    else if (argc == 4) {
        if (strcmp(argv[2], "more") == 0)
            digested += 64;
        count(atoi(argv[3]));
    }
    must(f->C_Finalize(NULL), "C_Finalize");
    return 0;
}
