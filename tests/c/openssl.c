/*
 * A host that signs through OpenSSL's pkcs11 engine and leaves with OpenSSL's exit handlers around.
 *
 *   openssl MODULE KEY-URI return|exit-thread|cleanup|finish|handlers|direct-first|direct-after
 *
 * return: nothing is freed. exit-thread: a thread calls exit while two sign through the module itself (through OpenSSL they could not:
 * its exit handlers free the locks that its own threads are using). cleanup: OPENSSL_cleanup with key and engine still in
 * hand. finish: all is given back in order. handlers: handlers from before and after OpenSSL's own call the module directly and finalise
 * it. direct-first, direct-after: the host uses the module itself, too, initialised before or after the engine does.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>

#include "host.h"

static EVP_PKEY *pair;
static CK_OBJECT_HANDLE with;
static ENGINE *engine;

static void check(int good, const char *step)
{
    if (!good) {
        printf("%s failed\n", step);
        exit(3);
    }
}

/* Signs with the key in the token; OpenSSL itself checks the signature with the public half. */
static void engine_signs(void)
{
    unsigned char out[200];
    size_t length = sizeof out;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    check(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pair) == 1
              && EVP_DigestSign(context, out, &length, (const unsigned char *)"text", 4) == 1, "signing");
    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    check(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pair) == 1
              && EVP_DigestVerify(context, out, length, (const unsigned char *)"text", 4) == 1, "verifying");
    EVP_MD_CTX_free(context);
}

/* Signs through the module itself until it is taken away. */
static void *sign_on(void *session)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {1}, out[64];
    CK_ULONG length;

    do
        length = sizeof out;
    while (f->C_SignInit((CK_SESSION_HANDLE)session, &ecdsa, with) == CKR_OK
           && f->C_Sign((CK_SESSION_HANDLE)session, digest, 32, out, &length) == CKR_OK);
    return NULL;
}

static void *leave(void *unused)
{
    (void)unused;
    engine_signs();
    printf("signed\n");
    fflush(stdout);
    exit(0);
}

/* From a handler: the engine may have finalised the module, or not yet. */
static void late(void)
{
    CK_RV code = f->C_Initialize(NULL);
    CK_SESSION_HANDLE session;

    if (code != CKR_OK && code != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        _exit(4);
    session = user();
    sign(session, key(session, CK_TRUE));
    must(f->C_Finalize(NULL), "C_Finalize in a handler");
    printf("late calls done\n");
    fflush(stdout);
}

static void direct(CK_RV wanted)
{
    CK_SESSION_HANDLE session;

    if (f->C_Initialize(NULL) != wanted)
        must(CKR_GENERAL_ERROR, "C_Initialize beside the engine");
    session = user();
    with = key(session, CK_TRUE);
    sign(session, with);
}

static CK_SESSION_HANDLE another(void)
{
    CK_SESSION_HANDLE session;

    must(f->C_OpenSession(token(), CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
    return session;
}

static void open_engine(const char *module, const char *uri)
{
    ENGINE_load_builtin_engines();
    engine = ENGINE_by_id("pkcs11");
    check(engine != NULL, "the engine");
    check(ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) == 1 && ENGINE_init(engine) == 1, "ENGINE_init");
    pair = ENGINE_load_private_key(engine, uri, NULL, NULL);
    check(pair != NULL, "the key");
    engine_signs();
}

int main(int argc, char **argv)
{
    const char *way = argc > 3 ? argv[3] : "return";
    pthread_t thread[3];

    if (argc < 3)
        return 2;
    if (strcmp(way, "handlers") == 0)
        atexit(late);
    load(argv[1], 0);
    if (strcmp(way, "direct-first") == 0)
        direct(CKR_OK);
    open_engine(argv[1], argv[2]);
    if (strcmp(way, "direct-after") == 0)
        direct(CKR_CRYPTOKI_ALREADY_INITIALIZED);
    engine_signs();
    if (strcmp(way, "exit-thread") == 0) {
        direct(CKR_CRYPTOKI_ALREADY_INITIALIZED);
        pthread_create(&thread[0], NULL, sign_on, (void *)another());
        pthread_create(&thread[1], NULL, sign_on, (void *)another());
        pthread_create(&thread[2], NULL, leave, NULL);
        pause();
    }
    if (strcmp(way, "handlers") == 0)
        atexit(late);
    if (strcmp(way, "finish") == 0) {
        EVP_PKEY_free(pair);
        check(ENGINE_finish(engine) == 1 && ENGINE_free(engine) == 1, "ENGINE_finish");
    }
    if (strcmp(way, "cleanup") == 0)
        OPENSSL_cleanup();
    printf("signed\n");
    return 0;
}
