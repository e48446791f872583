//! A page of HTML that stands alone: no script, nothing from the network, light or dark as the reader's system is.

use std::fmt::Write as _;

use crate::{Figure, HeatMap, PlotError, gallery};

/// The style of every page.
const STYLE: &str = include_str!("page.css");

/// A page, from top to bottom.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
    n_galleries: usize,
}

impl Page {
    /// A page with this title, which is also its first heading; none where it is empty.
    pub fn new(title: impl Into<String>) -> Self {
        let title = title.into();
        let mut body = String::new();
        if !title.is_empty() {
            let _ = writeln!(body, "<h1>{}</h1>", escape(&title));
        }
        Self {
            title,
            body,
            n_galleries: 0,
        }
    }

    /// A heading.
    #[must_use]
    pub fn heading(mut self, text: &str) -> Self {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(text));
        self
    }

    /// A paragraph.
    #[must_use]
    pub fn paragraph(mut self, text: &str) -> Self {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
        self
    }

    /// A quiet line, below a title or a figure.
    #[must_use]
    pub fn note(mut self, text: &str) -> Self {
        let _ = writeln!(self.body, "<p class=\"note\">{}</p>", escape(text));
        self
    }

    /// A figure.
    ///
    /// # Errors
    /// It can't be drawn.
    pub fn figure(mut self, figure: &Figure) -> Result<Self, PlotError> {
        let svg = figure.inline_svg()?;
        let _ = writeln!(self.body, "<figure>\n{svg}</figure>");
        Ok(self)
    }

    /// Heat maps, `columns` of them in a row, each of which the reader can have large.
    ///
    /// # Errors
    /// They can't be drawn.
    pub fn gallery(mut self, maps: &[HeatMap], columns: usize) -> Result<Self, PlotError> {
        self.body += &gallery::html(maps, columns.max(1), self.n_galleries)?;
        self.n_galleries += 1;
        Ok(self)
    }

    /// Amounts in large letters, each with its name below.
    #[must_use]
    pub fn amounts<'a>(mut self, amounts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.body += "<dl class=\"amounts\">\n";
        for (name, value) in amounts {
            let (name, value) = (escape(name), escape(&value));
            let _ = writeln!(self.body, "<div><dd>{value}</dd><dt>{name}</dt></div>");
        }
        self.body += "</dl>\n";
        self
    }

    /// A table; the first column is the name of the row. An entry of `marked` is the number of a row to be marked.
    #[must_use]
    pub fn table(mut self, head: &[String], rows: &[Vec<String>], marked: &[usize]) -> Self {
        self.body += "<div class=\"wide\"><table>\n<thead><tr>";
        for name in head {
            let _ = write!(self.body, "<th>{}</th>", escape(name));
        }
        self.body += "</tr></thead>\n<tbody>\n";
        for (place, row) in rows.iter().enumerate() {
            let class = if marked.contains(&place) {
                " class=\"marked\""
            } else {
                ""
            };
            let _ = write!(self.body, "<tr{class}>");
            for (column, cell) in row.iter().enumerate() {
                let tag = if column == 0 { "th" } else { "td" };
                let _ = write!(self.body, "<{tag}>{}</{tag}>", escape(cell));
            }
            self.body += "</tr>\n";
        }
        self.body += "</tbody></table></div>\n";
        self
    }

    /// Text as it is, lines and spaces kept, below a small name.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        let (name, text) = (escape(name), escape(text));
        let _ = writeln!(
            self.body,
            "<section class=\"text\"><h3>{name}</h3><pre>{text}</pre></section>"
        );
        self
    }

    /// A part that the reader opens, filled by `fill`.
    #[must_use]
    pub fn folded(mut self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        let inner = fill(Self {
            title: String::new(),
            body: String::new(),
            n_galleries: self.n_galleries,
        });
        self.n_galleries = inner.n_galleries;
        let (name, body) = (escape(name), inner.body);
        let _ = writeln!(
            self.body,
            "<details><summary>{name}</summary>\n{body}</details>"
        );
        self
    }

    /// The whole page.
    pub fn html(&self) -> String {
        let (title, body) = (escape(&self.title), &self.body);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

/// Text with the signs of HTML made harmless.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_not_become_markup() {
        let evil = "</title><script>alert('&')</script>";
        let page = Page::new(evil)
            .heading(evil)
            .paragraph(evil)
            .amounts([(evil, evil.to_owned())])
            .table(&[evil.into()], &[vec![evil.into(), evil.into()]], &[0])
            .text(evil, evil)
            .folded(evil, |page| page.note(evil))
            .html();
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 13);
    }

    #[test]
    fn a_page_needs_nothing_else() {
        let page = Page::new("a").html();
        for word in ["http", "src=", "<link", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
