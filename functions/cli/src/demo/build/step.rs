//! What a step of the build ran, what it said, and whether that is what it must.

use launchgate_outcome::Outcome;
use serde_json::{Value, json};

use super::stage::Ran;
use crate::{
    failure::Failure,
    output::{Output, indented, lines},
};

/// Lines shown of what a command said.
const SHOWN: usize = 14;

/// One thing that happened.
pub(super) struct Step {
    title: String,
    command: Option<String>,
    said: String,
    code: Option<u8>,
    is_right: bool,
}

impl Step {
    /// A command that was run.
    pub(super) fn of(ran: &Ran, title: &str) -> Self {
        let both = [ran.stderr.trim(), ran.stdout.trim()];
        let said = both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        Self {
            title: title.to_owned(),
            command: Some(ran.command.clone()),
            said,
            code: Some(ran.code),
            is_right: true,
        }
    }

    /// Something that happens outside of the build.
    pub(super) fn aside(title: &str, said: &str, is_right: bool) -> Self {
        Self { title: title.to_owned(), command: None, said: said.to_owned(), code: None, is_right }
    }

    /// What an event has come to.
    pub(super) fn outcome(title: &str, found: Option<Outcome>, expected: Outcome) -> Self {
        let said = found.map_or("nothing", Outcome::as_str);
        Self::aside(title, said, found == Some(expected))
    }

    pub(super) fn ends_with(mut self, code: u8) -> Self {
        self.is_right &= self.code == Some(code);
        self
    }

    pub(super) fn says(mut self, what: &str) -> Self {
        self.is_right &= self.said.contains(what);
        self
    }

    /// Leaves out what is on stdout: an envelope is for programs.
    pub(super) fn without_data(mut self) -> Self {
        self.said = self.said.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
        self
    }

    fn json(&self) -> Value {
        json!({ "title": self.title, "command": self.command, "said": self.said, "code": self.code, "ok": self.is_right })
    }
}

/// The telling, so far.
pub(super) struct Told<'o> {
    output: &'o Output,
    chapters: Vec<(String, Vec<Step>)>,
}

impl<'o> Told<'o> {
    pub(super) fn new(output: &'o Output) -> Self {
        Self { output, chapters: Vec::new() }
    }

    pub(super) fn chapter(&mut self, title: &str) -> Result<(), Failure> {
        if !self.output.is_json() {
            let space = if self.chapters.is_empty() { "" } else { "\n" };
            self.output.data(&format!("{space}{}\n", self.output.paint.bold(title)))?;
        }
        self.chapters.push((title.to_owned(), Vec::new()));
        Ok(())
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), Failure> {
        if !self.output.is_json() {
            let paint = self.output.paint;
            let mark = if step.is_right { paint.green("✓") } else { paint.red("✗") };
            let mut text = format!("  {mark} {}\n", step.title);
            if let Some(command) = &step.command {
                text.push_str(&format!("    $ {command}\n"));
            }
            let shown: Vec<_> = step.said.lines().take(SHOWN).collect();
            text.push_str(&paint.dim(&indented(&lines(&shown.join("\n")), 6)));
            text.push('\n');
            self.output.data(&text)?;
        }
        if let Some((_, steps)) = self.chapters.last_mut() {
            steps.push(step);
        }
        Ok(())
    }

    /// The exit code, and the report where programs read along.
    pub(super) fn ended(self) -> Result<u8, Failure> {
        let is_right = self.chapters.iter().flat_map(|(_, steps)| steps).all(|step| step.is_right);
        if self.output.is_json() {
            let chapters: Vec<_> = self
                .chapters
                .iter()
                .map(|(title, steps)| json!({ "title": title, "steps": steps.iter().map(Step::json).collect::<Vec<_>>() }))
                .collect();
            self.output.json(&json!({ "ok": is_right, "builds": chapters }))?;
        } else if !is_right {
            self.output.data("\nNot everything came to what it must: see the lines marked ✗.\n")?;
        }
        Ok(u8::from(!is_right))
    }
}
