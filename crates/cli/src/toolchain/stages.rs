//! A long job in stages that are not done twice: each leaves a stamp when it is finished.

use std::path::Path;

use super::error::ToolchainError;
use super::progress::Progress;

/// One stage of a job over a context `C`.
pub(super) struct Stage<C: ?Sized> {
    /// The stamp's and the log's name.
    pub(super) name: &'static str,
    /// What a person reads.
    pub(super) title: &'static str,
    /// About how many lines it says on its way, for the bar.
    pub(super) lines: usize,
    /// What its result depends on; a stamp that says something else counts no more.
    pub(super) recipe: fn(&C) -> String,
    /// Does it. Must be able to go on after being interrupted at any point.
    #[expect(clippy::type_complexity, reason = "one function type, named by its field")]
    pub(super) run: fn(&C, &mut dyn FnMut(&str)) -> Result<(), ToolchainError>,
}

/// Runs the stages in order, leaving out those whose stamp in `stamps` says what their recipe says now. From the first stage
/// that runs, all later ones run too.
pub(super) fn run<C: ?Sized>(stages: &[Stage<C>], context: &C, stamps: &Path, progress: &mut dyn Progress) -> Result<(), ToolchainError> {
    std::fs::create_dir_all(stamps).map_err(ToolchainError::io("cannot create", stamps))?;
    let mut fresh = true;
    for (index, stage) in stages.iter().enumerate() {
        let stamp = stamps.join(stage.name);
        progress.stage(index, stages.len(), stage.title);
        let recipe = (stage.recipe)(context);
        fresh = fresh && std::fs::read_to_string(&stamp).is_ok_and(|text| text == recipe);
        if !fresh {
            let mut said = 0_usize;
            (stage.run)(context, &mut |line| {
                said += 1;
                progress.tick((said as f64 / stage.lines.max(1) as f64).min(0.99), line);
            })?;
            std::fs::write(&stamp, &recipe).map_err(ToolchainError::io("cannot write", &stamp))?;
        }
        progress.done(fresh);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::toolchain::progress::Silent;

    /// The stages that ran, and whether `two` fails.
    type Journal = RefCell<(Vec<&'static str>, bool)>;

    fn old(_: &Journal) -> String {
        "old".to_owned()
    }

    const STAGES: [Stage<Journal>; 3] = [
        Stage { name: "one", title: "One", lines: 1, recipe: old, run: |journal, _| note(journal, "one") },
        Stage { name: "two", title: "Two", lines: 1, recipe: old, run: |journal, _| fail(journal) },
        Stage { name: "three", title: "Three", lines: 0, recipe: old, run: |journal, _| note(journal, "three") },
    ];

    fn note(journal: &Journal, name: &'static str) -> Result<(), ToolchainError> {
        journal.borrow_mut().0.push(name);
        Ok(())
    }

    fn fail(journal: &Journal) -> Result<(), ToolchainError> {
        note(journal, "two")?;
        if journal.borrow().1 { Err(ToolchainError::NoHome) } else { Ok(()) }
    }

    #[test]
    fn a_failed_job_goes_on_at_the_stage_that_failed() {
        let directory = tempfile::tempdir().unwrap();
        let journal = RefCell::new((Vec::new(), true));
        assert!(run(&STAGES, &journal, directory.path(), &mut Silent).is_err());
        journal.borrow_mut().1 = false;
        run(&STAGES, &journal, directory.path(), &mut Silent).unwrap();
        assert_eq!(journal.borrow().0, ["one", "two", "two", "three"]);
        run(&STAGES, &journal, directory.path(), &mut Silent).unwrap();
        assert_eq!(journal.borrow().0.len(), 4);
    }

    #[test]
    fn another_recipe_does_its_stage_and_the_later_ones_again() {
        let directory = tempfile::tempdir().unwrap();
        let journal = RefCell::new((Vec::new(), false));
        run(&STAGES, &journal, directory.path(), &mut Silent).unwrap();
        let mut changed = STAGES;
        changed[1].recipe = |_| "new".to_owned();
        run(&changed, &journal, directory.path(), &mut Silent).unwrap();
        assert_eq!(journal.borrow().0, ["one", "two", "three", "two", "three"]);
    }

    #[test]
    fn what_follows_a_stage_that_ran_runs_too() {
        let directory = tempfile::tempdir().unwrap();
        let journal = RefCell::new((Vec::new(), false));
        run(&STAGES, &journal, directory.path(), &mut Silent).unwrap();
        std::fs::remove_file(directory.path().join("two")).unwrap();
        run(&STAGES, &journal, directory.path(), &mut Silent).unwrap();
        assert_eq!(journal.borrow().0, ["one", "two", "three", "two", "three"]);
    }
}
