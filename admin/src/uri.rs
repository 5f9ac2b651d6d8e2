//! PKCS#11 URIs of tokens and objects (RFC 7512).
//!
//! Owns: attribute names and percent-encoding. Does not know: where the values come from.

use hsm_core::TokenInfo;

/// The URI of a token.
pub fn token(info: &TokenInfo) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(' ').to_owned();
    format!(
        "pkcs11:model={};manufacturer={};serial={};token={}",
        encoded(info.model.trim_end()),
        encoded(info.manufacturer.trim_end()),
        encoded(&text(&info.serial)),
        encoded(&text(&info.label))
    )
}

/// The shortest URI that finds a token: its label.
pub fn short(label: &str) -> String {
    format!("pkcs11:token={}", encoded(label))
}

/// The URI of an object in the token of the URI `token`; `kind` is the RFC's word for the class, where it has one.
pub fn object(token: &str, id: &[u8], label: &str, kind: Option<&str>) -> String {
    let mut uri = token.to_owned();
    if !id.is_empty() {
        uri.push_str(";id=");
        uri.extend(id.iter().map(|byte| format!("%{byte:02X}")));
    }
    if !label.is_empty() {
        uri.push_str(";object=");
        uri.push_str(&encoded(label));
    }
    if let Some(kind) = kind {
        uri.push_str(";type=");
        uri.push_str(kind);
    }
    uri
}

/// Percent-encodes everything but unreserved characters (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_and_ids_are_percent_encoded() {
        assert_eq!(
            object("pkcs11:token=t", &[1, 0xAB], "a;b ü", Some("private")),
            "pkcs11:token=t;id=%01%AB;object=a%3Bb%20%C3%BC;type=private"
        );
        assert_eq!(object("pkcs11:token=t", &[], "", None), "pkcs11:token=t");
    }
}
