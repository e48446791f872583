//! A report as a table.

use std::fmt;

use super::{ScriptMeasures, TextMeasures, TokenizerReport};

impl fmt::Display for TokenizerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.tokenizer)?;
        let headings = [
            "text",
            "bytes",
            "chars",
            "tokens",
            "bytes/token",
            "chars/token",
            "tokens/word",
            "unknown",
            "exact",
        ];
        let mut rows = vec![headings.map(str::to_owned)];
        rows.extend(self.texts.iter().map(text_row));
        if self.texts.len() > 1 {
            rows.push(text_row(&self.total));
        }
        write_rows(f, &rows)?;
        writeln!(f)?;
        let mut rows = vec![["script", "bytes", "tokens", "bytes/token"].map(str::to_owned)];
        rows.extend(self.scripts.iter().map(script_row));
        write_rows(f, &rows)
    }
}

fn text_row(row: &TextMeasures) -> [String; 9] {
    [
        row.name.clone(),
        row.bytes.to_string(),
        row.characters.to_string(),
        row.tokens.to_string(),
        format!("{:.2}", row.bytes_per_token),
        format!("{:.2}", row.characters_per_token),
        format!("{:.2}", row.tokens_per_word),
        format!("{:.2} %", row.unknown_share * 100.0),
        if row.exact { "yes" } else { "no" }.to_owned(),
    ]
}

fn script_row(row: &ScriptMeasures) -> [String; 4] {
    [
        row.script.clone(),
        row.bytes.to_string(),
        row.tokens.to_string(),
        format!("{:.2}", row.bytes_per_token),
    ]
}

/// Writes rows with columns of one width each, the first to the left and the numbers to the right.
fn write_rows<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in rows {
        write!(f, "{:<1$}", row[0], widths[0])?;
        for (cell, width) in row.iter().zip(widths).skip(1) {
            write!(f, "  {cell:>width$}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Tokenizer, TokenizerReport};

    #[test]
    fn columns_stand_below_their_headings() {
        let tokenizer = Tokenizer::train_characters(["ab б"]).unwrap();
        let report = TokenizerReport::new(&tokenizer, [("abба", "ab bб"), ("x", "")]).unwrap();
        let expected = "\
character level, 5 tokens

text       bytes  chars  tokens  bytes/token  chars/token  tokens/word  unknown  exact
abба           6      5       5         1.20         1.00         2.50   0.00 %    yes
x              0      0       0         0.00         0.00         0.00   0.00 %    yes
all texts      6      5       5         1.20         1.00         2.50   0.00 %    yes

script    bytes  tokens  bytes/token
Latin         4       4         1.00
Cyrillic      2       1         2.00
";
        assert_eq!(report.to_string(), expected);
    }
}
