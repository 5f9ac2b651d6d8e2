import java.security.*;
import java.util.Arrays;
import javax.crypto.*;
import javax.crypto.spec.*;

/**
 * What an application does with SunPKCS11 beside signatures: AES-GCM, CBC and CTR, HMAC, digests, random numbers.
 * Everything the token makes is compared with Java's own software provider.
 */
public class Ciphers {
    static void same(String what, byte[] one, byte[] other) {
        if (!Arrays.equals(one, other)) throw new AssertionError(what + " differs");
    }

    public static void main(String[] arguments) throws Exception {
        Provider token = Security.getProvider("SunPKCS11").configure(arguments[0]);
        KeyStore store = KeyStore.getInstance("PKCS11", token);
        store.load(null, arguments[1].toCharArray());
        byte[] raw = new byte[32];
        new SecureRandom().nextBytes(raw);
        SecretKey outside = new SecretKeySpec(raw, "AES");
        SecretKey inside = SecretKeyFactory.getInstance("AES", token).translateKey(outside);

        byte[] iv = Arrays.copyOf(raw, 12), block = Arrays.copyOf(raw, 16);
        for (int length : new int[] {0, 1, 16, 1000, 100_000}) {
            byte[] text = new byte[length];
            for (String name : new String[] {"AES/GCM/NoPadding", "AES/CBC/PKCS5Padding", "AES/CTR/NoPadding"}) {
                var parameters = name.contains("GCM") ? new GCMParameterSpec(128, iv) : new IvParameterSpec(block);
                Cipher one = Cipher.getInstance(name, token), other = Cipher.getInstance(name, "SunJCE");
                one.init(Cipher.ENCRYPT_MODE, inside, parameters);
                other.init(Cipher.ENCRYPT_MODE, outside, parameters);
                if (name.contains("GCM")) {
                    one.updateAAD(block);
                    other.updateAAD(block);
                }
                byte[] sealed = one.doFinal(text);
                same(name + " " + length, sealed, other.doFinal(text));
                one.init(Cipher.DECRYPT_MODE, inside, parameters);
                if (name.contains("GCM")) one.updateAAD(block);
                same(name + " back " + length, one.doFinal(sealed), text);
            }
            for (String name : new String[] {"SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"}) {
                MessageDigest one = MessageDigest.getInstance(name, token);
                same(name, one.digest(text), MessageDigest.getInstance(name, "SUN").digest(text));
            }
            for (String name : new String[] {"HmacSHA1", "HmacSHA256", "HmacSHA512"}) {
                Mac one = Mac.getInstance(name, token), other = Mac.getInstance(name, "SunJCE");
                one.init(new SecretKeySpec(raw, name));
                other.init(new SecretKeySpec(raw, name));
                same(name, one.doFinal(text), other.doFinal(text));
            }
        }
        System.out.println("all agree");
    }
}
