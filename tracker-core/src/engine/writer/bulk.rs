//! Writes many new tasks of a kind that has neither unique keys nor a limit, in one pass over each table. Called by `engine/action/bulk`;
//! writes through `storage/write/bulk`.

use super::Writer;
use crate::{
    engine::action::Prepared,
    model::{error::Result, kind::Kind, transition::Command},
    storage::{keys, write::bulk::NewRow},
};

impl Writer<'_> {
    /// Writes the tasks whose ids are new. Returns for each task whether it was written; of tasks with the same id only the first is.
    pub(crate) fn put_new(&mut self, kind: &Kind, tasks: &[Prepared]) -> Result<Vec<bool>> {
        let base = self.new_seqs(tasks.len())?;
        let mut ids: Vec<_> = (base..).zip(tasks).map(|(seq, task)| (keys::id_key(kind.id, &task.id), seq)).collect();
        ids.sort_unstable();
        ids.dedup_by(|one, before| one.0 == before.0);
        self.writes += 1;
        let mut new = vec![false; tasks.len()];
        for ((_, seq), is_new) in ids.iter().zip(self.rows.insert_new_ids(&ids)?) {
            let at = usize::try_from(seq - base).unwrap_or(usize::MAX);
            if let Some(flag) = new.get_mut(at) {
                *flag = is_new;
            }
        }
        let mut rows = Vec::with_capacity(tasks.len());
        for ((seq, task), _) in (base..).zip(tasks).zip(&new).filter(|(_, new)| **new) {
            let command = Command::Submit(task.submit.clone());
            let decided = kind.rules(self.now).decide(None, &command);
            let decision = decided.map_err(|reason| kind.refuse(task.id.clone(), reason))?;
            self.push_event(kind, kind.task(seq), &task.id, None, &decision, &command);
            if let Some(header) = decision.header {
                self.effects.may_start |= !kind.is_finished(&header);
                self.count([None, Some(keys::CountKey { kind: kind.id, code: header.code })]);
                rows.push(NewRow {
                    task: kind.task(seq),
                    id: &task.id,
                    header,
                    indexes: &task.indexes,
                    record: &task.record,
                });
            }
        }
        if rows.is_empty() {
            self.give_back_seqs(base);
        } else {
            self.mark_dirty();
            self.rows.apply_new(kind, &rows)?;
        }
        Ok(new)
    }
}
