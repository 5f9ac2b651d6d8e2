/*
 * Generates an RSA-3072 key pair in a token, signs a file with it, and writes what a verifier needs.
 *
 *   USER_PIN=... sign MODULE TOKEN FILE SIGNATURE PUBLIC-KEY
 *   openssl dgst -sha256 -verify PUBLIC-KEY -keyform DER -signature SIGNATURE FILE
 *
 * Compile with: cc -Wall -I ffi-headers/include examples/c/sign.c -o sign -ldl
 */
#include "token.h"

static void write_file(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(name, "wb");

    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        stop("a file cannot be written");
}

static void generate(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 3072;
    CK_BBOOL yes = CK_TRUE;
    char label[] = "signed in C";
    CK_ATTRIBUTE of_public[] = {
        { CKA_MODULUS_BITS, &bits, sizeof(bits) },
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_LABEL, label, sizeof(label) - 1 },
        { CKA_VERIFY, &yes, sizeof(yes) },
    };
    CK_ATTRIBUTE of_private[] = {
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_LABEL, label, sizeof(label) - 1 },
        { CKA_SIGN, &yes, sizeof(yes) },
    };

    must(p11->C_GenerateKeyPair(session, &mechanism, of_public, 4, of_private, 3, public_key, private_key),
         "C_GenerateKeyPair");
}

/* The public key as a SubjectPublicKeyInfo: first its length is asked, then the bytes. */
static void write_public_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const char *name)
{
    CK_ATTRIBUTE info = { CKA_PUBLIC_KEY_INFO, NULL, 0 };

    must(p11->C_GetAttributeValue(session, key, &info, 1), "C_GetAttributeValue (length)");
    info.pValue = malloc(info.ulValueLen);
    if (info.pValue == NULL)
        stop("no memory");
    must(p11->C_GetAttributeValue(session, key, &info, 1), "C_GetAttributeValue");
    write_file(name, info.pValue, info.ulValueLen);
    free(info.pValue);
}

/* Feeds the file to the token piece by piece; only the pieces and the signature cross the border. */
static void sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const char *name, const char *signature_name)
{
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_BYTE piece[65536], signature[1024];
    CK_ULONG signature_length = sizeof(signature);
    FILE *file = fopen(name, "rb");
    size_t length;

    if (file == NULL)
        stop("the file cannot be read");
    must(p11->C_SignInit(session, &mechanism, key), "C_SignInit");
    while ((length = fread(piece, 1, sizeof(piece), file)) > 0)
        must(p11->C_SignUpdate(session, piece, length), "C_SignUpdate");
    if (ferror(file) || fclose(file) != 0)
        stop("the file cannot be read to its end");
    must(p11->C_SignFinal(session, signature, &signature_length), "C_SignFinal");
    write_file(signature_name, signature, signature_length);
}

int main(int count, char **arguments)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE public_key, private_key;

    if (count != 6) {
        fprintf(stderr, "usage: USER_PIN=... %s MODULE TOKEN FILE SIGNATURE PUBLIC-KEY\n", arguments[0]);
        return 2;
    }
    session = open_token(arguments[1], arguments[2]);
    generate(session, &public_key, &private_key);
    sign(session, private_key, arguments[3], arguments[4]);
    write_public_key(session, public_key, arguments[5]);
    close_token(session);
    printf("signed %s with an RSA-3072 key of token %s\n", arguments[3], arguments[2]);
    return 0;
}
