/*
 * Tries, logged in as the key's own user, every way that PKCS#11 offers to get a private key out of a token.
 *
 *   USER_PIN=... extract MODULE TOKEN KEY-LABEL
 *
 * Ends with 0 when all were refused: the key can be used, and not had. Prints what the token answered to each.
 * Compile with: cc -Wall -I ffi-headers/include examples/c/extract.c -o extract -ldl
 */
#include "token.h"

static int leaks;

/* Notes the answer to one try; an answer other than the expected ones means that the key could have left. */
static void tried(const char *what, CK_RV rv, CK_RV expected, const char *name)
{
    if (rv == expected) {
        printf("   %-58s %s\n", what, name);
    } else {
        printf("   %-58s 0x%lx, and should be %s\n", what, (unsigned long)rv, name);
        leaks++;
    }
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE session, char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {
        { CKA_CLASS, &class, sizeof(class) },
        { CKA_LABEL, label, strlen(label) },
    };
    CK_OBJECT_HANDLE key;
    CK_ULONG found = 0;

    must(p11->C_FindObjectsInit(session, wanted, 2), "C_FindObjectsInit");
    must(p11->C_FindObjects(session, &key, 1, &found), "C_FindObjects");
    must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (found != 1)
        stop("there is no private key with this label");
    return key;
}

/* Asks for each secret part; also bytes that come back beside an error would be a leak. */
static void read_out(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *name;
    } rsa[] = {
        { CKA_PRIVATE_EXPONENT, "read CKA_PRIVATE_EXPONENT" },
        { CKA_PRIME_1, "read CKA_PRIME_1" },
        { CKA_PRIME_2, "read CKA_PRIME_2" },
        { CKA_EXPONENT_1, "read CKA_EXPONENT_1" },
        { CKA_EXPONENT_2, "read CKA_EXPONENT_2" },
        { CKA_COEFFICIENT, "read CKA_COEFFICIENT" },
    }, ec[] = {
        { CKA_VALUE, "read CKA_VALUE" },
    };
    CK_KEY_TYPE type;
    CK_ATTRIBUTE kind = { CKA_KEY_TYPE, &type, sizeof(type) };
    CK_BYTE bytes[1024];
    size_t count, i, j;

    must(p11->C_GetAttributeValue(session, key, &kind, 1), "C_GetAttributeValue (CKA_KEY_TYPE)");
    count = type == CKK_RSA ? sizeof(rsa) / sizeof(rsa[0]) : sizeof(ec) / sizeof(ec[0]);
    for (i = 0; i < count; i++) {
        CK_ATTRIBUTE secret = { type == CKK_RSA ? rsa[i].type : ec[i].type, bytes, sizeof(bytes) };
        CK_RV rv;

        memset(bytes, 0, sizeof(bytes));
        rv = p11->C_GetAttributeValue(session, key, &secret, 1);
        tried(type == CKK_RSA ? rsa[i].name : ec[i].name, rv, CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE");
        for (j = 0; j < sizeof(bytes); j++)
            if (bytes[j] != 0) {
                printf("   bytes came back\n");
                leaks++;
                break;
            }
    }
}

/* Tries to take the protection off the key, and off a copy of it. */
static void soften(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE extractable = { CKA_EXTRACTABLE, &yes, sizeof(yes) };
    CK_ATTRIBUTE not_sensitive = { CKA_SENSITIVE, &no, sizeof(no) };
    CK_ATTRIBUTE soft_copy[] = { { CKA_TOKEN, &no, sizeof(no) }, extractable, not_sensitive };
    CK_OBJECT_HANDLE copy;

    tried("set CKA_EXTRACTABLE to true", p11->C_SetAttributeValue(session, key, &extractable, 1),
          CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY");
    tried("set CKA_SENSITIVE to false", p11->C_SetAttributeValue(session, key, &not_sensitive, 1),
          CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY");
    tried("copy it as extractable and not sensitive", p11->C_CopyObject(session, key, soft_copy, 3, &copy),
          CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY");
}

/* Tries to take it out encrypted under an AES key, made for that alone, that lives as long as the session. */
static void wrap(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM generation = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM wrapping = { CKM_AES_KEY_WRAP_KWP, NULL, 0 };
    CK_ULONG length = 32;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE of_wrapper[] = {
        { CKA_VALUE_LEN, &length, sizeof(length) },
        { CKA_WRAP, &yes, sizeof(yes) },
    };
    CK_OBJECT_HANDLE wrapper;
    CK_BYTE wrapped[8192];
    CK_ULONG wrapped_length = sizeof(wrapped);

    must(p11->C_GenerateKey(session, &generation, of_wrapper, 2, &wrapper), "C_GenerateKey");
    tried("wrap it under an AES key (CKM_AES_KEY_WRAP_KWP)",
          p11->C_WrapKey(session, &wrapping, wrapper, key, wrapped, &wrapped_length), CKR_KEY_UNEXTRACTABLE,
          "CKR_KEY_UNEXTRACTABLE");
}

int main(int count, char **arguments)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;

    if (count != 4) {
        fprintf(stderr, "usage: USER_PIN=... %s MODULE TOKEN KEY-LABEL\n", arguments[0]);
        return 2;
    }
    session = open_token(arguments[1], arguments[2]);
    key = private_key(session, arguments[3]);
    read_out(session, key);
    soften(session, key);
    wrap(session, key);
    close_token(session);
    return leaks == 0 ? 0 : 1;
}
