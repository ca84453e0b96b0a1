//! Parses the struct and checks it as a whole: one id, one priority, at most eight limits, distinct unique keys. Called by `task::derive`;
//! makes the `Task` that `expand` writes. Pure.

use proc_macro2::Ident;
use syn::{Data, DeriveInput, Fields, FieldsNamed, GenericParam, Generics, Path, Type, ext::IdentExt};

use super::{
    field::Field,
    header::{self, Header},
    policy::{NeededAmount, Policy},
    unique::Unique,
};
use crate::{crate_path, errors::Errors, snake_case};

/// Number of limits of a task, at most.
const MOST_LIMITS: usize = 8;

/// The parsed struct. `fields` is `None` unless it has named fields.
pub(super) struct Declaration<'a> {
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    pub header: Header,
    pub fields: Option<Vec<Field<'a>>>,
}

/// A correct task.
pub(super) struct Task<'a> {
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    pub tracker_core: Path,
    pub kind: String,
    pub status: &'a Type,
    /// `None` if ids are generated.
    pub id: Option<&'a Field<'a>>,
    pub fields: &'a [Field<'a>],
    pub uniques: Vec<&'a Unique>,
    pub policy: &'a Policy,
    /// The version of the payload, and the function that reads earlier ones.
    pub version: Option<(u16, &'a Path)>,
}

pub(super) fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Declaration<'a> {
    let header = Header::parse(&input.attrs, errors);
    for param in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            let text = "a task owns its data, since it outlives the call that submits it: remove `{}`, and write e.g. `String` for `&str`";
            errors.on(lifetime, text.replace("{}", &lifetime.lifetime.to_string()));
        }
    }
    let fields = named_fields(input, errors).map(|fields| {
        let named = fields.named.iter().filter_map(|field| Some((field, field.ident.as_ref()?)));
        named.map(|(field, ident)| Field::parse(field, ident, errors)).collect()
    });
    Declaration { ident: &input.ident, generics: &input.generics, header, fields }
}

fn named_fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    const WRITE: &str = "write a struct with named fields, e.g. `struct Download { #[task(id)] url: String }`";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(fields) => errors.on(fields, format!("the fields of a task have names: {WRITE}")),
            Fields::Unit => errors.on(&input.ident, format!("a task has at least one field: {WRITE}")),
        },
        Data::Enum(data) => errors.on(data.enum_token, format!("a task cannot be an enum: {WRITE}")),
        Data::Union(data) => errors.on(data.union_token, format!("a task cannot be a union: {WRITE}")),
    }
    None
}

pub(super) fn check<'a>(declared: &'a Declaration<'a>, errors: &mut Errors) -> Option<Task<'a>> {
    let Declaration { ident, generics, header, fields } = declared;
    if !header.names_status {
        errors.on(ident, "the task has no status type: write e.g. `#[task(status = JobStatus)]`");
    }
    let kind = header.name.as_ref().map_or_else(|| snake_case::of(&ident.unraw().to_string()), syn::LitStr::value);
    if let Err(error) = header::check_kind(&kind) {
        errors.on(ident, error);
    }
    let fields = fields.as_ref()?;
    let id = check_ids(declared, fields, errors);
    check_priorities(fields, errors);
    check_limits(fields, errors);
    check_needs(header, fields, errors);
    let uniques = check_uniques(header, fields, errors);
    let version = check_version(header, errors);
    Some(Task {
        ident,
        generics,
        tracker_core: declared.tracker_core(),
        kind,
        status: header.status.as_ref()?,
        id,
        fields,
        uniques,
        policy: &header.policy,
        version,
    })
}

impl Declaration<'_> {
    pub fn tracker_core(&self) -> Path {
        self.header.tracker_core.clone().unwrap_or_else(crate_path::default)
    }
}

/// The version above 1 and its migration: each needs the other.
fn check_version<'a>(header: &'a Header, errors: &mut Errors) -> Option<(u16, &'a Path)> {
    match (&header.version, &header.migrate) {
        (Some((_, Some(version @ 2..))), Some((_, function))) => return Some((*version, function.as_ref()?)),
        (Some((option, Some(version @ 2..))), None) => {
            let text = "version {} needs a function that reads the earlier ones: write `migrate = from_old`, with `fn from_old(old: OldPayload<'_>) -> Result<Self, E>`";
            errors.on(option, text.replace("{}", &version.to_string()));
        }
        (Some((_, Some(1))), Some((option, _))) => {
            errors.on(option, "version 1 has no earlier one: remove `migrate`, or write `version = 2`");
        }
        (None, Some((option, _))) => {
            errors.on(option, "`migrate` needs the version of the struct: write `version = 2`");
        }
        _ => {}
    }
    None
}

fn check_ids<'a>(declared: &Declaration, fields: &'a [Field<'a>], errors: &mut Errors) -> Option<&'a Field<'a>> {
    let mut ids = fields.iter().filter_map(|field| Some((field, field.id.as_ref()?)));
    let first = ids.next();
    for (_, second) in ids {
        errors.on(second, "a task has one id: keep one `#[task(id)]`, and write `#[task(unique)]` for a further key");
    }
    match (first, declared.header.generates_ids) {
        (Some((_, option)), true) => {
            errors.on(
                option,
                "the ids are generated by `id = uuid` already: remove this `id`, or the one above the struct",
            );
        }
        (None, false) => {
            errors.on(declared.ident, "the task has no id: write `#[task(id)]` above one, or `#[task(id = uuid)]` above the struct for generated ids");
        }
        _ => {}
    }
    first.map(|(field, _)| field)
}

fn check_priorities(fields: &[Field], errors: &mut Errors) {
    for second in fields.iter().filter_map(|field| field.priority.as_ref()).skip(1) {
        errors.on(second, "a task has one priority: keep `#[task(priority)]` on one field");
    }
}

fn check_limits(fields: &[Field], errors: &mut Errors) {
    for (ninth, _) in fields.iter().filter_map(|field| field.limit.as_ref()).skip(MOST_LIMITS) {
        errors.on(ninth, format!("a task has at most {MOST_LIMITS} limits: remove `limit` from a field"));
    }
}

fn check_needs(header: &Header, fields: &[Field], errors: &mut Errors) {
    for (_, amount) in &header.policy.needs {
        let NeededAmount::Field(name) = amount else { continue };
        match fields.iter().find(|field| field.name == name.value()) {
            Some(field) if field.index => {}
            Some(field) => {
                errors.on(name, format!("claims compare this amount: mark `{}` with `#[task(index)]`", field.name));
            }
            None => errors.on(name, format!("the task has no field `{}`", name.value())),
        }
    }
}

fn check_uniques<'a>(header: &'a Header, fields: &'a [Field], errors: &mut Errors) -> Vec<&'a Unique> {
    let of_fields = fields.iter().filter_map(|field| field.unique.as_ref());
    let uniques: Vec<_> = header.uniques.iter().chain(of_fields).collect();
    for (at, unique) in uniques.iter().enumerate() {
        unique.check_fields(fields, errors);
        if let Some(twin) = uniques[..at].iter().find(|twin| twin.name() == unique.name()) {
            let text = if twin.fields == unique.fields {
                "this key is written twice: remove one".to_owned()
            } else {
                format!("two unique keys would be named `{}`: rename a field", unique.name())
            };
            errors.on(&unique.written, text);
        }
    }
    uniques
}
