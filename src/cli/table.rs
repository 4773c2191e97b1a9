//! Plain tables for people.

use std::fmt::Write as _;

/// Space between columns.
const GAP: &str = "  ";

/// Columns under their headings, each as wide as its widest cell; numbers to the right. No rows: `empty`.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>], empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(headings.get(column).map(|heading| heading.len()))
            .max()
            .unwrap_or(0)
    };
    let numeric = |column: usize| {
        rows.iter()
            .all(|row| row.get(column).is_some_and(|cell| cell.parse::<u64>().is_ok()))
    };
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = if numeric(column) {
                write!(line, "{cell:>width$}{GAP}")
            } else {
                write!(line, "{cell:<width$}{GAP}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Two columns: what, and its value.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<width$}{GAP}{value}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".into(), "5".into()], vec!["longer".into(), "1200".into()]];
        assert_eq!(
            table(&["name", "people"], &rows, "-"),
            "name    people\na            5\nlonger    1200\n"
        );
        assert_eq!(table(&["name"], &[], "nobody"), "nobody\n");
        assert_eq!(
            facts(&[("a", "1".into()), ("long", "2".into())]),
            "a     1\nlong  2\n"
        );
    }
}
