//! Text of the file never becomes markup.

use crate::{
    Browser,
    browser::attributes,
    sample::{self, HOSTILE},
};

/// The hostile text as the value of a field.
const HOSTILE_VALUE: &str =
    "&lt;/title&gt;&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;\u{202e}\u{1b}[2J/../?a=b&amp;c#d";

#[tokio::test]
async fn hostile_text_is_shown_as_text_on_every_page() {
    let browser = Browser::enter(sample::tracker(), true).await;
    let list = browser.read("/tasks?kind=download&text=alert(1)").await;
    let links = attributes(&list, "href");
    let task = links.iter().find(|link| link.starts_with("task?")).unwrap();
    let mut paths = vec!["/tasks?kind=download&text=alert(1)".to_owned(), format!("/{task}"), "/kinds".to_owned()];
    let written: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    // Reflected parameters.
    paths.extend(
        ["kind", "text", "value", "status", "after", "id"]
            .map(|name| format!("/tasks?kind=download&index=host&{name}={written}")),
    );
    paths.extend(["kind", "id"].map(|name| format!("/task?{name}={written}")));
    paths.push(format!("/task?kind=download&id=text:{written}"));
    for path in paths {
        let page = browser.get(&path).await.text;
        // The value of a field is what its user has typed, unchanged.
        let page = page.replace(HOSTILE_VALUE, "");
        for raw in ["<script>alert", "</title></pre>", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(raw), "{raw:?} in {path}: {page}");
        }
    }
    let page = browser.read(&format!("/{task}")).await;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("\\u{202e}\\u{1b}[2J"), "{page}");
}

#[tokio::test]
async fn pages_have_no_inline_script_or_style() {
    let browser = Browser::enter(sample::tracker(), true).await;
    for path in ["/kinds", "/tasks?kind=download", "/task?kind=download&id=text:https://host/030", "/errors", "/health"]
    {
        let page = browser.read(path).await;
        let scripts: Vec<_> = page.split("<script").skip(1).filter_map(|rest| rest.split('>').next()).collect();
        assert_eq!(scripts, [" src=\"live.js\" defer"], "{path}");
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="), "{path}");
        assert!(!page.contains("http-equiv") && !page.contains("http://"), "{path}");
    }
}
