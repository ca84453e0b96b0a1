use std::fmt::Display;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{Attribute, LitStr, Meta, ext::IdentExt, parse::Parse};

use crate::errors::Errors;

/// One word of `#[status(…)]` or `#[task(…)]`, alone, with `= value` or with `(list)`.
pub(crate) struct Word {
    name: Ident,
    value: Value,
}

enum Value {
    None,
    Assigned(TokenStream),
    List(Group),
}

impl Word {
    /// The words of all attributes of this name. What is no word is reported and left out.
    pub fn of(attrs: &[Attribute], attribute: &str, example: &str, errors: &mut Errors) -> Vec<Self> {
        let mut words = Vec::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident(attribute)) {
            match &attr.meta {
                Meta::List(list) if list.tokens.is_empty() => {
                    errors.on(attr, format!("nothing is in the attribute: write `#[{attribute}({example})]`"));
                }
                Meta::List(list) => words.extend(Self::all(list.tokens.clone(), example, errors)),
                Meta::Path(_) | Meta::NameValue(_) => {
                    errors.on(attr, format!("the words stand in parentheses: write `#[{attribute}({example})]`"));
                }
            }
        }
        words
    }

    fn all(tokens: TokenStream, example: &str, errors: &mut Errors) -> Vec<Self> {
        let (mut words, mut chunk) = (Vec::new(), Vec::new());
        // Between the `<` and `>` of a type, a comma ends nothing.
        let mut angles = 0_usize;
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ',' && angles == 0 => {
                    if chunk.is_empty() {
                        errors.on(&token, format!("nothing stands before this comma: write e.g. `{example},`"));
                    }
                    words.extend(Self::one(&std::mem::take(&mut chunk), example, errors));
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == '<' => angles += 1,
                TokenTree::Punct(punct) if punct.as_char() == '>' => angles = angles.saturating_sub(1),
                _ => {}
            }
            chunk.push(token);
        }
        words.extend(Self::one(&chunk, example, errors));
        words
    }

    fn one(chunk: &[TokenTree], example: &str, errors: &mut Errors) -> Option<Self> {
        let (first, rest) = chunk.split_first()?;
        let TokenTree::Ident(name) = first else {
            errors.on(stream(chunk), format!("this is no word: write e.g. `{example}`"));
            return None;
        };
        let value = match rest {
            [] => Value::None,
            [TokenTree::Punct(punct), value @ ..] if punct.as_char() == '=' => Value::Assigned(stream(value)),
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => Value::List(group.clone()),
            _ => {
                errors.on(stream(rest), format!("this does not belong to `{name}`: write a comma between two words"));
                // The word itself is clear: that it is there spares a second message.
                Value::None
            }
        };
        Some(Self { name: name.clone(), value })
    }

    /// The word itself.
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// The word as text, without `r#`.
    pub fn text(&self) -> String {
        self.name.unraw().to_string()
    }

    /// What stands right of `=`, for errors; the word where there is nothing.
    pub fn value(&self) -> TokenStream {
        match &self.value {
            Value::Assigned(tokens) if !tokens.is_empty() => tokens.clone(),
            Value::List(group) => group.to_token_stream(),
            _ => self.name.to_token_stream(),
        }
    }

    /// Whether it has neither value nor list.
    pub fn is_alone(&self) -> bool {
        matches!(self.value, Value::None)
    }

    /// Whether it stands alone; if not, says so.
    pub fn check_alone(&self, errors: &mut Errors) -> bool {
        let alone = self.is_alone();
        if !alone {
            errors.on(self, format!("`{0}` takes no value: write `{0}` alone", self.name));
        }
        alone
    }

    /// The value right of `=`, read as a `T`.
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

    /// The value right of `=`, which is a text in quotes.
    pub fn assigned_text(&self, what: impl Display, example: &str, errors: &mut Errors) -> Option<LitStr> {
        self.assigned(format!("{what} in quotes"), example, errors)
    }

    /// The words in the parentheses; at least one.
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

impl ToTokens for Word {
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
