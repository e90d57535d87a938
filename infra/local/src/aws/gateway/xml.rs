//! A reader of the XML answers of EC2 and Route 53, whose elements have no attributes that matter.

/// An element with its text or its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document and returns its root. What is not XML has no children.
    pub(crate) fn parse(xml: &str) -> Self {
        let mut open = vec![Self::default()];
        let mut rest = xml;
        while let Some(start) = rest.find('<') {
            let (text, tagged) = rest.split_at(start);
            if let Some(element) = open.last_mut() {
                element.text.push_str(&unescaped(text));
            }
            let Some(end) = tagged.find('>') else { break };
            let tag = &tagged[1..end];
            rest = &tagged[end + 1..];
            if tag.starts_with(['?', '!']) {
                continue;
            }
            if !tag.starts_with('/') {
                let name = tag.trim_end_matches('/').split_ascii_whitespace().next();
                open.push(Self {
                    name: name.unwrap_or_default().to_owned(),
                    ..Self::default()
                });
            }
            if (tag.starts_with('/') || tag.ends_with('/'))
                && open.len() > 1
                && let Some(closed) = open.pop()
                && let Some(parent) = open.last_mut()
            {
                parent.children.push(closed);
            }
        }
        // The outermost element is the document itself.
        let mut document = open.swap_remove(0);
        match document.children.len() {
            0 => document,
            _ => document.children.swap_remove(0),
        }
    }

    /// Returns the first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns the text of the first child of this name; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// Returns the text of the element itself.
    pub(crate) fn own_text(&self) -> &str {
        self.text.trim()
    }

    /// Iterates over the children of the first child of this name: the items of a list.
    pub(crate) fn items(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.child(name).into_iter().flat_map(|list| &list.children)
    }

    /// Returns the text that `field` has in each item of a list, without those that lack it.
    pub(crate) fn texts(&self, list: &str, field: &str) -> Vec<String> {
        self.items(list)
            .map(|item| item.text(field).to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }
}

/// Replaces the entities that XML predefines.
fn unescaped(text: &str) -> String {
    // The ampersand is last, so that nothing is replaced twice.
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, character)| {
        text.replace(entity, character)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lists_within_lists_are_kept_apart() {
        let root = Element::parse(
            "<?xml version=\"1.0\"?>\n<Answer xmlns=\"http://ec2\"><set><item><id>a&amp;b</id><inner><item><id>c</id></item>\
             </inner></item><item><inner/><id>d</id></item></set><empty/></Answer>",
        );
        assert_eq!(root.texts("set", "id"), ["a&b", "d"]);
        let inner: Vec<Vec<String>> = root.items("set").map(|item| item.texts("inner", "id")).collect();
        assert_eq!(inner, [vec!["c".to_owned()], vec![]]);
        assert_eq!(root.items("empty").count() + root.items("absent").count(), 0);
        assert_eq!(
            root.child("set").unwrap().children[0]
                .child("id")
                .unwrap()
                .own_text(),
            "a&b"
        );
        assert_eq!(root.text("absent"), "");
    }

    #[test]
    fn what_is_no_xml_has_no_children() {
        for text in ["", "no", "<a", "</a>", "<a><b>"] {
            assert_eq!(Element::parse(text).items("set").count(), 0, "{text}");
        }
    }
}
