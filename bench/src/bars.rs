//! Figures beside what is wanted of them.

/// The bars of a part, to be printed as a table.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    rows: Vec<String>,
}

impl Bars {
    /// A figure that should be at least `wanted`.
    pub(crate) fn at_least(&mut self, what: &str, figure: f64, wanted: f64) {
        self.row(what, figure, &format!("≥ {wanted}"), figure >= wanted);
    }

    /// A figure that should be at most `wanted`.
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, wanted: f64) {
        self.row(what, figure, &format!("≤ {wanted}"), figure <= wanted);
    }

    fn row(&mut self, what: &str, figure: f64, wanted: &str, met: bool) {
        let met = if figure.is_nan() {
            "not measured"
        } else if met {
            "yes"
        } else {
            "**no**"
        };
        self.rows.push(format!("| {what} | {figure:.2} | {wanted} | {met} |"));
    }

    /// Prints them.
    pub(crate) fn print(&self) {
        println!("| bar | figure | wanted | met |\n| --- | ---: | ---: | --- |");
        for row in &self.rows {
            println!("{row}");
        }
        println!();
    }
}
