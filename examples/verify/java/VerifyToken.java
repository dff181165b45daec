import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bouncycastle.crypto.CipherParameters;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithID;
import org.bouncycastle.crypto.signers.PlainDSAEncoding;
import org.bouncycastle.crypto.signers.SM2Signer;

/**
 * Verifies a token of Tongban ID that is signed with SM2, with Bouncy Castle (Debian: libbcprov-java):
 *
 *     java -cp /usr/share/java/bcprov.jar VerifyToken.java TOKEN-FILE JWKS-FILE ISSUER AUDIENCE [NONCE]
 *
 * Prints the claims and ends with 0, or says on standard error why not and ends with 1. Use your own JSON library instead of the
 * small reader at the end.
 */
public final class VerifyToken {
  private static final String ALG = "SGD_SM3_SM2";
  private static final String CURVE = "sm2p256v1";
  private static final byte[] USER_ID = "1234567812345678".getBytes(StandardCharsets.US_ASCII);
  private static final long CLOCKS_DIFFER_SECONDS = 10;

  public static void main(String[] arguments) throws Exception {
    try {
      var token = Files.readString(Path.of(arguments[0])).trim();
      var keys = (List<?>) object(Files.readString(Path.of(arguments[1]))).get("keys");
      System.out.println(verify(token, keys, arguments[2], arguments[3], arguments.length > 4 ? arguments[4] : null));
    } catch (IllegalArgumentException refused) {
      System.err.println(refused.getMessage());
      System.exit(1);
    }
  }

  /** The claims of the token, as JSON. */
  static String verify(String token, List<?> keys, String issuer, String audience, String nonce) {
    var parts = token.split("\\.", -1);
    require(parts.length == 3, "the token does not have three parts");
    var header = object(new String(decode(parts[0]), StandardCharsets.UTF_8));
    require(ALG.equals(header.get("alg")) && !header.containsKey("crit"), "the token is not signed with " + ALG);
    var key = keys.stream().map(VerifyToken::members)
        .filter(k -> k.get("kid") != null && k.get("kid").equals(header.get("kid")) && CURVE.equals(k.get("crv")) && "sig".equals(k.get("use")))
        .findFirst();
    require(key.isPresent(), "the key set has no SM2 key of this kid: fetch it anew");
    var message = (parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII);
    require(signatureIsGood(message, decode(parts[2]), key.get()), "the signature is wrong");
    var json = new String(decode(parts[1]), StandardCharsets.UTF_8);
    var claims = object(json);
    require(issuer.equals(claims.get("iss")), "the token is of another issuer");
    require(audience.equals(claims.get("aud")), "the token is for another portal");
    var end = claims.get("exp") instanceof Double seconds ? seconds : 0;
    require(end + CLOCKS_DIFFER_SECONDS > System.currentTimeMillis() / 1000.0, "the token is over");
    require(nonce == null || nonce.equals(claims.get("nonce")), "the nonce is another one");
    return json;
  }

  /** r || s, so the plain encoding; the user id must be given, and the point is checked when it is decoded. */
  private static boolean signatureIsGood(byte[] message, byte[] signature, Map<String, Object> key) {
    if (signature.length != 64) return false;
    var curve = CustomNamedCurves.getByName(CURVE);
    var domain = new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN(), curve.getH());
    var point = curve.getCurve().validatePoint(coordinate(key, "x"), coordinate(key, "y"));
    CipherParameters parameters = new ParametersWithID(new ECPublicKeyParameters(point, domain), USER_ID);
    var signer = new SM2Signer(PlainDSAEncoding.INSTANCE);
    signer.init(false, parameters);
    signer.update(message, 0, message.length);
    return signer.verifySignature(signature);
  }

  private static BigInteger coordinate(Map<String, Object> key, String name) {
    return new BigInteger(1, decode(String.valueOf(key.get(name))));
  }

  private static byte[] decode(String part) {
    var bytes = Base64.getUrlDecoder().decode(part);
    require(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(part), "a part of the token is not strict base64url");
    return bytes;
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) throw new IllegalArgumentException(otherwise);
  }

  private static Map<String, Object> object(String json) {
    var reader = new Json(json);
    var value = reader.value();
    require(reader.atEnd(), "there is more than one JSON value");
    return members(value);
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> members(Object value) {
    require(value instanceof Map, "a JSON object was expected");
    return (Map<String, Object>) value;
  }

  /** Reads one JSON value: maps, lists, texts, numbers (Double), booleans and null. */
  private static final class Json {
    private final String text;
    private int at;

    Json(String text) {
      this.text = text;
    }

    boolean atEnd() {
      skipBlanks();
      return at == text.length();
    }

    Object value() {
      skipBlanks();
      require(at < text.length(), "the JSON ends too early");
      return switch (text.charAt(at)) {
        case '{' -> {
          var members = new LinkedHashMap<String, Object>();
          at++;
          while (!taken('}')) {
            if (!members.isEmpty()) expect(',');
            skipBlanks();
            var name = string();
            expect(':');
            require(members.putIfAbsent(name, value()) == null, "a member stands twice");
          }
          yield members;
        }
        case '[' -> {
          var items = new ArrayList<>();
          at++;
          while (!taken(']')) {
            if (!items.isEmpty()) expect(',');
            items.add(value());
          }
          yield items;
        }
        case '"' -> string();
        default -> literal();
      };
    }

    private Object literal() {
      var start = at;
      while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
      var word = text.substring(start, at);
      return switch (word) {
        case "true" -> Boolean.TRUE;
        case "false" -> Boolean.FALSE;
        case "null" -> null;
        default -> Double.valueOf(word);
      };
    }

    private String string() {
      expect('"');
      var found = new StringBuilder();
      while (at < text.length() && text.charAt(at) != '"') {
        var character = text.charAt(at++);
        if (character != '\\') {
          found.append(character);
          continue;
        }
        var escaped = text.charAt(at++);
        if (escaped == 'u') {
          found.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
          at += 4;
        } else {
          var place = "\"\\/bfnrt".indexOf(escaped);
          require(place >= 0, "an unknown escape");
          found.append("\"\\/\b\f\n\r\t".charAt(place));
        }
      }
      expect('"');
      return found.toString();
    }

    private boolean taken(char wanted) {
      skipBlanks();
      if (at >= text.length() || text.charAt(at) != wanted) return false;
      at++;
      return true;
    }

    private void expect(char wanted) {
      require(taken(wanted), "the JSON is malformed");
    }

    private void skipBlanks() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }
  }
}
