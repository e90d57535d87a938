//! Tables as text: headings, left-aligned text, right-aligned numbers, no borders and no colors, so that the output can
//! be pasted into a ticket or a chat and searched with `grep`.

/// A table under construction.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// Creates a table with these headings; a heading that begins with `>` names a column of numbers.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let right = headings.iter().map(|h| h.starts_with('>')).collect();
        let heading = headings
            .iter()
            .map(|h| h.trim_start_matches('>').to_owned())
            .collect();
        Self {
            rows: vec![heading],
            right,
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Reports whether the table has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Renders the table as text, each line indented by `indent` blanks and without trailing blanks.
    #[must_use]
    pub fn render(&self, indent: usize) -> String {
        let columns = self.right.len();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, cell) in row.iter().enumerate() {
                let pad = widths[column].saturating_sub(cell.chars().count());
                if column > 0 {
                    line.push_str("  ");
                }
                if self.right[column] {
                    line.push_str(&" ".repeat(pad));
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&" ".repeat(pad));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new(&["TYPE", ">OBJECTS", "NOTE"]);
        table.row(["pods".into(), "7".into(), "all ready".into()]);
        table.row(["deployments.apps".into(), "1,200".into(), String::new()]);
        assert_eq!(
            table.render(2),
            "  TYPE              OBJECTS  NOTE\n  pods                    7  all ready\n  deployments.apps    1,200\n"
        );
    }
}
