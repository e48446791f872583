//! The visible text below a node of a parsed page.

use dom_query::{NodeData, NodeRef, TreeNode};
use html5ever::{LocalName, local_name};

use super::render::Renderer;

/// The visible text below `root`, navigation and forms left out. Takes no stack, however deep the tree.
pub(super) fn text(root: &NodeRef) -> String {
    let mut renderer = Renderer::default();
    let mut at = root.first_child();
    while let Some(node) = at {
        if visit(&node, &mut renderer)
            && let Some(child) = node.first_child()
        {
            at = Some(child);
            continue;
        }
        leave(&node, &mut renderer);
        at = next(node, root, &mut renderer);
    }
    renderer.finish()
}

/// The node after `node` and all below it; leaves the elements that end there.
fn next<'a>(node: NodeRef<'a>, root: &NodeRef, renderer: &mut Renderer) -> Option<NodeRef<'a>> {
    let mut node = node;
    loop {
        if let Some(sibling) = node.next_sibling() {
            return Some(sibling);
        }
        node = node.parent().filter(|parent| parent.id != root.id)?;
        leave(&node, renderer);
    }
}

/// Writes the node; whether what stands below it is to be written too.
fn visit(node: &NodeRef, renderer: &mut Renderer) -> bool {
    node.query_or(false, |node| match &node.data {
        NodeData::Text { contents } => {
            renderer.text(contents);
            false
        }
        NodeData::Element(element) => {
            let visible = is_visible(node);
            if visible {
                renderer.enter(&element.name.local);
            }
            visible
        }
        _ => false,
    })
}

fn leave(node: &NodeRef, renderer: &mut Renderer) {
    node.query_or((), |node| {
        if let Some(element) = node.as_element()
            && is_visible(node)
        {
            renderer.leave(&element.name.local);
        }
    });
}

fn is_visible(node: &TreeNode) -> bool {
    let Some(element) = node.as_element() else {
        return true;
    };
    if is_no_text(&element.name.local) {
        return false;
    }
    !element.attrs.iter().any(|attribute| {
        let value = attribute.value.trim();
        match attribute.name.local {
            local_name!("hidden") => !value.eq_ignore_ascii_case("until-found"),
            local_name!("aria-hidden") => value.eq_ignore_ascii_case("true"),
            local_name!("role") => value.eq_ignore_ascii_case("navigation"),
            local_name!("style") => hides(value),
            _ => false,
        }
    })
}

/// Whether a style says that nothing is shown.
fn hides(style: &str) -> bool {
    style.split(';').any(|declaration| {
        let Some((property, value)) = declaration.split_once(':') else {
            return false;
        };
        let is = |name: &str, hidden: &str| {
            property.trim().eq_ignore_ascii_case(name)
                && value
                    .trim()
                    .split(['!', ' '])
                    .next()
                    .is_some_and(|value| value.eq_ignore_ascii_case(hidden))
        };
        is("display", "none") || is("visibility", "hidden")
    })
}

/// Elements whose content is not text to read: code, media, controls, navigation.
pub(super) fn is_no_text(name: &LocalName) -> bool {
    matches!(
        *name,
        local_name!("applet")
            | local_name!("audio")
            | local_name!("button")
            | local_name!("canvas")
            | local_name!("datalist")
            | local_name!("dialog")
            | local_name!("embed")
            | local_name!("footer")
            | local_name!("head")
            | local_name!("iframe")
            | local_name!("nav")
            | local_name!("noembed")
            | local_name!("noframes")
            | local_name!("noscript")
            | local_name!("object")
            | local_name!("script")
            | local_name!("select")
            | local_name!("style")
            | local_name!("svg")
            | local_name!("template")
            | local_name!("textarea")
            | local_name!("title")
            | local_name!("video")
    )
}
