import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import org.bouncycastle.asn1.gm.GMNamedCurves;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithID;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.PlainDSAEncoding;
import org.bouncycastle.crypto.signers.SM2Signer;
import org.bouncycastle.util.encoders.Hex;

/**
 * Reads lines of "d message signature text ciphertext" in hexadecimal, each word behind a point, and answers each with
 * "key verified opened signature ciphertext": its own public key, what it found of ours, and its own of both.
 */
public class BouncyCastleJudge {
  private static final byte[] USER_ID = "1234567812345678".getBytes(StandardCharsets.US_ASCII);

  public static void main(String[] arguments) throws Exception {
    X9ECParameters curve = GMNamedCurves.getByName("sm2p256v1");
    ECDomainParameters domain = new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN(), curve.getH());
    SecureRandom random = new SecureRandom();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      byte[][] values = new byte[words.length][];
      for (int i = 0; i < words.length; i++) values[i] = Hex.decode(words[i].substring(1));
      BigInteger d = new BigInteger(1, values[0]);
      ECPrivateKeyParameters privateKey = new ECPrivateKeyParameters(d, domain);
      ECPublicKeyParameters publicKey = new ECPublicKeyParameters(domain.getG().multiply(d).normalize(), domain);
      System.out.println(
          Hex.toHexString(publicKey.getQ().getEncoded(false))
              + " " + verified(publicKey, values[1], values[2])
              + " " + opened(privateKey, values[4], values[3])
              + " " + Hex.toHexString(sign(privateKey, values[1], random))
              + " " + Hex.toHexString(encrypt(publicKey, values[3], random)));
      System.out.flush();
    }
  }

  private static boolean verified(ECPublicKeyParameters key, byte[] message, byte[] signature) {
    SM2Signer signer = new SM2Signer(PlainDSAEncoding.INSTANCE);
    signer.init(false, new ParametersWithID(key, USER_ID));
    signer.update(message, 0, message.length);
    return signer.verifySignature(signature);
  }

  private static byte[] sign(ECPrivateKeyParameters key, byte[] message, SecureRandom random) throws Exception {
    SM2Signer signer = new SM2Signer(PlainDSAEncoding.INSTANCE);
    signer.init(true, new ParametersWithID(new ParametersWithRandom(key, random), USER_ID));
    signer.update(message, 0, message.length);
    return signer.generateSignature();
  }

  private static boolean opened(ECPrivateKeyParameters key, byte[] ciphertext, byte[] text) {
    SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
    engine.init(false, key);
    try {
      return java.util.Arrays.equals(engine.processBlock(ciphertext, 0, ciphertext.length), text);
    } catch (Exception refused) {
      return false;
    }
  }

  private static byte[] encrypt(ECPublicKeyParameters key, byte[] text, SecureRandom random) throws Exception {
    SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
    engine.init(true, new ParametersWithRandom(key, random));
    return engine.processBlock(text, 0, text.length);
  }
}
