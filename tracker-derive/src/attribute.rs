//! `AttributeOption`: an option of `#[status(…)]` or `#[task(…)]`: parses them, and reports malformed ones. Called by every parser of
//! attributes; knows no option by name. Pure.

use std::fmt::Display;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{Attribute, LitStr, Meta, ext::IdentExt, parse::Parse};

use crate::errors::Errors;

/// An option: a name alone, `name = value` or `name(list)`.
pub(crate) struct AttributeOption {
    name: Ident,
    value: Value,
}

enum Value {
    None,
    Assigned(TokenStream),
    List(Group),
}

impl AttributeOption {
    /// Parses the options of all attributes of this name. Reports and skips other attributes.
    pub fn of(attrs: &[Attribute], attribute: &str, example: &str, errors: &mut Errors) -> Vec<Self> {
        let mut options = Vec::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident(attribute)) {
            match &attr.meta {
                Meta::List(list) if list.tokens.is_empty() => {
                    errors.on(attr, format!("the attribute is empty: write `#[{attribute}({example})]`"));
                }
                Meta::List(list) => options.extend(Self::all(list.tokens.clone(), example, errors)),
                Meta::Path(_) | Meta::NameValue(_) => {
                    errors.on(attr, format!("options go in parentheses: write `#[{attribute}({example})]`"));
                }
            }
        }
        options
    }

    fn all(tokens: TokenStream, example: &str, errors: &mut Errors) -> Vec<Self> {
        let (mut options, mut chunk) = (Vec::new(), Vec::new());
        // A comma between `<` and `>` belongs to a type.
        let mut angles = 0_usize;
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ',' && angles == 0 => {
                    if chunk.is_empty() {
                        errors.on(&token, format!("expected an option before this comma: write e.g. `{example},`"));
                    }
                    options.extend(Self::one(&std::mem::take(&mut chunk), example, errors));
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == '<' => angles += 1,
                TokenTree::Punct(punct) if punct.as_char() == '>' => angles = angles.saturating_sub(1),
                _ => {}
            }
            chunk.push(token);
        }
        options.extend(Self::one(&chunk, example, errors));
        options
    }

    fn one(chunk: &[TokenTree], example: &str, errors: &mut Errors) -> Option<Self> {
        let (first, rest) = chunk.split_first()?;
        let TokenTree::Ident(name) = first else {
            errors.on(stream(chunk), format!("expected an option name: write e.g. `{example}`"));
            return None;
        };
        let value = match rest {
            [] => Value::None,
            [TokenTree::Punct(punct), value @ ..] if punct.as_char() == '=' => Value::Assigned(stream(value)),
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => Value::List(group.clone()),
            _ => {
                errors.on(stream(rest), format!("unexpected tokens after `{name}`: write a comma between two options"));
                // The option counts as present, so that no second error reports it as missing.
                Value::None
            }
        };
        Some(Self { name: name.clone(), value })
    }

    /// Returns the name.
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// Returns the name as text, without `r#`.
    pub fn text(&self) -> String {
        self.name.unraw().to_string()
    }

    /// Returns the value for errors; the name if there is no value.
    pub fn value(&self) -> TokenStream {
        match &self.value {
            Value::Assigned(tokens) if !tokens.is_empty() => tokens.clone(),
            Value::List(group) => group.to_token_stream(),
            _ => self.name.to_token_stream(),
        }
    }

    /// Returns whether the option has neither value nor list.
    pub fn is_alone(&self) -> bool {
        matches!(self.value, Value::None)
    }

    /// Returns whether the option has neither value nor list. Reports an error if it has.
    pub fn check_alone(&self, errors: &mut Errors) -> bool {
        let alone = self.is_alone();
        if !alone {
            errors.on(self, format!("`{0}` takes no value: write `{0}` alone", self.name));
        }
        alone
    }

    /// Parses the value after `=`.
    pub fn assigned<T: Parse>(&self, what: impl Display, example: &str, errors: &mut Errors) -> Option<T> {
        let Value::Assigned(tokens) = &self.value else {
            errors.on(self, format!("`{}` takes {what}: write `{example}`", self.name));
            return None;
        };
        let parsed = syn::parse2(tokens.clone()).ok();
        if parsed.is_none() {
            errors.on(self.value(), format!("`{}` takes {what}: write `{example}`", self.name));
        }
        parsed
    }

    /// Parses the value after `=` as a string.
    pub fn assigned_text(&self, what: impl Display, example: &str, errors: &mut Errors) -> Option<LitStr> {
        self.assigned(format!("{what} in quotes"), example, errors)
    }

    /// Parses the options in parentheses; at least one.
    pub fn list(&self, what: impl Display, example: &str, errors: &mut Errors) -> Option<Vec<Self>> {
        match &self.value {
            Value::List(group) if !group.stream().is_empty() => Some(Self::all(group.stream(), example, errors)),
            _ => {
                errors.on(self, format!("`{0}` takes {what}: write `{0}({example})`", self.name));
                None
            }
        }
    }
}

impl ToTokens for AttributeOption {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.name.to_tokens(tokens);
        match &self.value {
            Value::None => {}
            Value::Assigned(value) => tokens.append_all(value.clone()),
            Value::List(group) => group.to_tokens(tokens),
        }
    }
}

fn stream(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}
