//! `Site`: the state of a mounted dashboard. Runs the reads and commands of pages on blocking threads, beside the async ones. Called by
//! `routes`, `events` and `guard`; reads and changes the tracker through `Source`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use maud::Markup;
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracker_core::{Tracker, uuid::Uuid};

use crate::{
    access::Access,
    command::Command,
    failure::Failure,
    html::{self, Frame, notice::Notice},
    model::count::Count,
    params::Params,
    source::Source,
};

pub struct Site {
    pub source: Box<dyn Source>,
    pub access: Access,
    /// Why no command is offered, besides the reasons of the source.
    pub read_only: Option<String>,
    pub title: Option<String>,
    /// Limits the reads at a time.
    reads: Semaphore,
    /// Limits the pages that listen for events.
    pub listeners: Arc<Semaphore>,
    /// Results of the latest commands, each for the page that follows it.
    notices: Mutex<VecDeque<(String, Notice)>>,
}

/// The inputs of a page.
pub struct PageRequest<'r> {
    pub frame: &'r Frame,
    pub tracker: &'r Tracker,
    pub params: &'r Params,
    pub source: &'r dyn Source,
}

/// The number of requests that read the file at the same time.
const READS: usize = 8;
/// The number of pages that listen for events at the same time.
const LISTENERS: usize = 64;
/// The number of results that are kept.
const NOTICES: usize = 64;

impl Site {
    pub fn new(source: Box<dyn Source>, access: Access, read_only: Option<String>, title: Option<String>) -> Self {
        Self {
            source,
            access,
            read_only,
            title,
            reads: Semaphore::new(READS),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            notices: Mutex::default(),
        }
    }

    fn frame(&self, params: &Params) -> Frame {
        Frame {
            name: self.title.clone().unwrap_or_else(|| self.source.name()),
            read_only: self.read_only.clone().or_else(|| self.source.read_only()),
            notice: params.get("done").and_then(|id| self.notice(id)),
        }
    }

    fn notice(&self, id: &str) -> Option<Notice> {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.iter().find(|(own, _)| own == id).map(|(_, notice)| notice.clone())
    }

    /// Keeps a result and returns its id.
    fn keep(&self, notice: Notice) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push_back((id.clone(), notice));
        if notices.len() > NOTICES {
            notices.pop_front();
        }
        id
    }

    /// Responds to a form: with a question first, or with a redirect to the page that shows the result.
    pub async fn command(self: Arc<Self>, form: Params) -> Response {
        self.blocking(move |site| {
            let frame = site.frame(&Params::default());
            site.perform(&frame, &form)
                .unwrap_or_else(|failure| html_of(failure.status, html::notice::failure(&frame, &failure)))
        })
        .await
    }

    fn perform(&self, frame: &Frame, form: &Params) -> Result<Response, Failure> {
        if let Some(reason) = &frame.read_only {
            return Err(Failure::forbidden(format!("nothing was changed: {reason}")));
        }
        let command = Command::parse(form)?;
        if !command.is_confirmed {
            let count = self.read(|tracker| Count::read(tracker, &command.request))?;
            return Ok(html_of(StatusCode::OK, html::command::confirm(frame, &command, form, count)));
        }
        let report = self.source.perform(&command.request).map_err(|error| Failure::refused(error.to_string()))?;
        let id = self.keep(Notice { done: command.done, unit: command.unit, report });
        let separator = if command.back.contains('?') { '&' } else { '?' };
        let page = format!("{}{separator}done={id}", command.back);
        Ok((StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response())
    }

    /// Responds with a page.
    pub async fn page(self: Arc<Self>, uri: &Uri, page: fn(&PageRequest<'_>) -> Result<Markup, Failure>) -> Response {
        self.answer(uri, move |request| Ok(html_of(StatusCode::OK, page(request)?))).await
    }

    /// Responds with what is read on a blocking thread, or with a page that says why not.
    pub async fn answer(
        self: Arc<Self>,
        uri: &Uri,
        answer: impl Fn(&PageRequest<'_>) -> Result<Response, Failure> + Send + 'static,
    ) -> Response {
        let params = Params::parse(uri.query().unwrap_or_default().as_bytes());
        self.blocking(move |site| {
            let frame = site.frame(&params);
            let source = &*site.source;
            site.read(|tracker| answer(&PageRequest { frame: &frame, tracker, params: &params, source }))
                .unwrap_or_else(|failure| html_of(failure.status, html::notice::failure(&frame, &failure)))
        })
        .await
    }

    /// Runs work that reads or changes the file on a blocking thread.
    pub async fn blocking(self: Arc<Self>, work: impl FnOnce(&Self) -> Response + Send + 'static) -> Response {
        let site = self.clone();
        // The semaphore is never closed.
        let _permit = self.reads.acquire().await;
        let done = spawn_blocking(move || work(&site)).await;
        done.unwrap_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made").into_response())
    }

    /// Returns the number of the last change of the file; `None` if it cannot be read.
    pub fn change_number(&self) -> Option<u64> {
        self.read(|tracker| Ok(tracker.change_number()?)).ok()
    }

    /// Reads the file; once more if the source has closed it meanwhile.
    fn read<R>(&self, read: impl Fn(&Tracker) -> Result<R, Failure>) -> Result<R, Failure> {
        match read(&self.source.tracker()?) {
            Err(failure) if failure.is_closed => read(&self.source.tracker()?),
            done => done,
        }
    }
}

pub fn html_of(status: StatusCode, content: Markup) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], content.into_string()).into_response()
}
