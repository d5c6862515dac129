use sea_orm_migration::sea_query::{
    Alias, ColumnDef, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index,
    IndexCreateStatement, Table, TableCreateStatement,
};

/// A table in the making, in words that keep a migration readable as a list of columns.
pub(super) struct NewTable(TableCreateStatement);

impl NewTable {
    pub(super) fn named(name: &'static str) -> Self {
        Self(Table::create().table(Alias::new(name)).to_owned())
    }

    fn column(mut self, column: &mut ColumnDef) -> Self {
        self.0.col(column);
        self
    }

    /// A counting key.
    pub(super) fn serial(self, name: &'static str) -> Self {
        self.column(
            ColumnDef::new(Alias::new(name))
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
    }

    /// A key or name of bounded length.
    pub(super) fn name(self, name: &'static str, max_chars: u32) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).string_len(max_chars).not_null())
    }

    pub(super) fn name_or_null(self, name: &'static str, max_chars: u32) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).string_len(max_chars))
    }

    pub(super) fn text(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).text().not_null())
    }

    pub(super) fn text_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).text())
    }

    /// Instants (microseconds UTC), counts, durations.
    pub(super) fn long(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).big_integer().not_null())
    }

    pub(super) fn long_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).big_integer())
    }

    pub(super) fn int(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).integer().not_null())
    }

    pub(super) fn small(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).small_integer().not_null())
    }

    pub(super) fn small_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).small_integer())
    }

    pub(super) fn json(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).json_binary().not_null())
    }

    pub(super) fn json_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).json_binary())
    }

    pub(super) fn blob(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(Alias::new(name)).blob().not_null())
    }

    pub(super) fn key(mut self, columns: &[&'static str]) -> Self {
        let mut key = Index::create();
        for column in columns {
            key.col(Alias::new(*column));
        }
        self.0.primary_key(&mut key);
        self
    }

    /// `column` names a row of `table` by its `id`.
    pub(super) fn refers_to(mut self, column: &'static str, table: &'static str) -> Self {
        self.0.foreign_key(&mut reference(column, table));
        self
    }

    /// As [`refers_to`](Self::refers_to), and the row goes with that one.
    pub(super) fn part_of(mut self, column: &'static str, table: &'static str) -> Self {
        self.0.foreign_key(reference(column, table).on_delete(ForeignKeyAction::Cascade));
        self
    }

    pub(super) fn statement(self) -> TableCreateStatement {
        self.0
    }
}

fn reference(column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(Alias::new(column))
        .to(Alias::new(table), Alias::new("id"))
        .to_owned()
}

/// An index named after its table and columns.
pub(super) fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_{}", columns.join("_"))).table(Alias::new(table));
    for column in columns {
        index.col(Alias::new(*column));
    }
    index
}
