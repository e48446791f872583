//! Web pages: a document each, of their readable text.

use super::content::Content;
use super::documents::{Record, Records};
use super::fault::Fault;
use crate::html;

/// Reads the one document of a page.
pub(super) struct Page(Option<Content>);

impl Page {
    pub(super) fn new(content: Content) -> Self {
        Self(Some(content))
    }
}

impl Records for Page {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        let Some(mut content) = self.0.take() else {
            return Ok(None);
        };
        let page = content.rest()?;
        Ok(Some(Record {
            text: html::readable_text(&page),
            line: 1,
            continues: false,
        }))
    }
}
