//! The error of a service that answers with XML:
//! `<ErrorResponse><Error><Type>…</Type><Code>…</Code><Message>…</Message></Error></ErrorResponse>`.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#operation-error-serialization>

use aws_smithy_types::error::metadata::ErrorMetadata;

/// The code and the message. `None` if the body is no such XML.
pub(super) fn read(body: &[u8]) -> Option<ErrorMetadata> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, error) = text.split_once("<Error>")?;
    let code = element(error, "Code")?;
    let error = ErrorMetadata::builder().code(code);
    Some(match element(text, "Message") {
        Some(message) => error.message(message).build(),
        None => error.build(),
    })
}

/// The text of the first element of this name. Elements with these names contain text alone.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(unescape(text.trim()))
}

/// `&amp;` is last, so that `&amp;lt;` becomes `&lt;`.
fn unescape(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let replaced = |text: String, (entity, character)| text.replace(entity, character);
    entities.into_iter().fold(text.to_owned(), replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_and_the_message_are_read() {
        let xml = |error: &str| {
            format!(
                "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">{error}\
                 <RequestId>5c1d</RequestId></ErrorResponse>"
            )
        };
        for (body, expected) in [
            (
                xml(
                    "<Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error>",
                ),
                Some((Some("NotFound"), Some("Topic does not exist"))),
            ),
            (
                xml(
                    "<Error>\n  <Code> X </Code>\n  <Message>&lt;a&gt; &amp;lt; &quot;b&apos;</Message></Error>",
                ),
                Some((Some("X"), Some("<a> &lt; \"b'"))),
            ),
            (
                xml("<Error><Code>X</Code></Error>"),
                Some((Some("X"), None)),
            ),
            (xml("<Error><Code>X</Error>"), None),
            (xml(""), None),
            (r#"{"Error": {"Code": "X"}}"#.to_owned(), None),
            ("<html>Bad Gateway</html>".to_owned(), None),
            (String::new(), None),
        ] {
            let found = read(body.as_bytes());
            let found = found.as_ref().map(|it| (it.code(), it.message()));
            assert_eq!(found, expected, "{body}");
        }
        assert!(read(&[0xff, 0xfe]).is_none());
    }
}
