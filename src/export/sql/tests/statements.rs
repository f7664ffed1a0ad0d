//! What databases are told, to the letter.

use std::{sync::Arc, time::Duration};

use super::super::{
    Sql,
    dialect::Server,
    options::Options,
    table::{PlainTable, Table},
};

/// Each statement is on few lines here.
fn flat(text: &str) -> String {
    text.replace('\n', " ").replace("    ", "")
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{
        super::super::{sqlite::DatabaseFile, values::statement},
        *,
    };

    fn server() -> DatabaseFile {
        DatabaseFile::new("x.db".into())
    }

    #[test]
    fn sqlite_makes_and_fills_a_table() {
        let table = Arc::new(Table::resources(&Options::default()));
        assert_eq!(
            server().create(&table).iter().map(|text| flat(text)).collect::<Vec<_>>(),
            [
                r#"CREATE TABLE IF NOT EXISTS "bellwether_resources" ( "id" INTEGER NOT NULL, "service" TEXT NOT NULL, "attributes" TEXT NOT NULL, "seen" INTEGER NOT NULL, PRIMARY KEY ("id") )"#
            ]
        );
        let insert = server().insert(table.clone());
        assert_eq!(
            statement(&insert, 0b1111, 1),
            r#"INSERT INTO "bellwether_resources" ("id", "service", "attributes", "seen") VALUES (?, ?, ?, ?) ON CONFLICT ("id") DO UPDATE SET "seen" = max("bellwether_resources"."seen", excluded."seen")"#
        );
        assert_eq!(
            server().delete(&table, 7),
            r#"DELETE FROM "bellwether_resources" WHERE rowid IN (SELECT rowid FROM "bellwether_resources" WHERE "seen" < ? LIMIT 7)"#
        );
    }

    #[test]
    fn a_name_is_quoted_whatever_is_in_it() {
        let plain = PlainTable::new("a\"b").columns("at", "so urce", "va;lue").unix_millis();
        let insert = server().insert(Arc::new(plain.table()));
        assert_eq!(
            statement(&insert, 0b111, 2),
            r#"INSERT INTO "a""b" ("at", "so urce", "va;lue") VALUES (? / 1000000, ?, ?),(? / 1000000, ?, ?) ON CONFLICT DO NOTHING"#
        );
    }

    #[test]
    fn the_schema_has_every_table_once() {
        let schema = Sql::sqlite("x.db").table_prefix("t_").keep(Duration::from_secs(1)).schema();
        for table in ["schema", "resources", "series", "samples", "spans", "logs"] {
            let name = format!("CREATE TABLE IF NOT EXISTS \"t_{table}\"");
            assert_eq!(schema.iter().filter(|text| text.starts_with(&name)).count(), 1, "{table}");
        }
        assert_eq!(schema.len(), 11);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::{super::super::postgres::PostgresServer, *};

    fn server() -> PostgresServer {
        PostgresServer::new("postgres://x@127.0.0.1/x".to_owned(), None)
    }

    #[test]
    fn postgresql_takes_any_number_of_rows_by_one_statement() {
        let insert = server().insert(Arc::new(Table::resources(&Options::default())));
        assert_eq!(
            &*insert.statement,
            r#"INSERT INTO "bellwether_resources" ("id", "service", "attributes", "seen") SELECT DISTINCT ON (c0) c0, c1, c2::jsonb, c3 FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS r(c0, c1, c2, c3) ORDER BY c0, c3 DESC ON CONFLICT ("id") DO UPDATE SET "seen" = GREATEST("bellwether_resources"."seen", excluded."seen")"#
        );
        let spans = server().insert(Arc::new(Table::spans(&Options::default())));
        let spans = &spans.statement;
        assert!(spans.contains("ORDER BY c0, c1, c2, c9 IS NULL, c3 DESC ON CONFLICT"), "{spans}");
        assert!(spans.ends_with(r#" WHERE "bellwether_spans"."outcome" IS NULL AND excluded."duration" >= "bellwether_spans"."duration""#), "{spans}");
        let plain = server().insert(Arc::new(PlainTable::default().table()));
        assert!(plain.statement.contains(
            "SELECT timestamptz 'epoch' + (c0 / 1000) * interval '1 microsecond', c1, c2 FROM"
        ));
    }

    #[test]
    fn timescaledb_keeps_chunks_and_drops_them() {
        let sql = Sql::postgres("postgres://x@127.0.0.1/x", None);
        let without = sql.clone().schema().len();
        let schema = sql.hypertables().keep(Duration::from_secs(86_400)).schema();
        assert_eq!(schema.len(), without + 3 * 4);
        for wanted in [
            r#"SELECT create_hypertable('"bellwether_samples"', 'time', chunk_time_interval => 86400000000000, if_not_exists => TRUE, migrate_data => TRUE)"#,
            r#"SELECT set_integer_now_func('"bellwether_spans"', '"bellwether_spans_now"', replace_if_exists => TRUE)"#,
            r#"SELECT add_retention_policy('"bellwether_logs"', BIGINT '86400000000000', if_not_exists => TRUE)"#,
        ] {
            assert!(schema.iter().any(|text| text == wanted), "{schema:#?}");
        }
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use super::{
        super::super::{mysql::MySqlServer, row::Cell, table::Kind, values::statement},
        *,
    };

    fn server() -> MySqlServer {
        MySqlServer::new("mysql://x@127.0.0.1/x".to_owned(), None)
    }

    #[test]
    fn mysql_makes_and_fills_a_table() {
        let table = Arc::new(Table::series(&Options::default()));
        let [create] = &server().create(&table)[..] else { panic!() };
        assert!(flat(create).ends_with("PRIMARY KEY (`id`), INDEX `bellwether_series_name` (`name`(191)) ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"), "{create}");
        let insert = server().insert(table);
        assert!(statement(&insert, 0x1ff, 1).ends_with("VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE `seen` = GREATEST(`seen`, VALUES(`seen`))"));
        let spans = server().insert(Arc::new(Table::spans(&Options::default())));
        let later = "`outcome` IS NULL AND VALUES(`duration`) >= `duration`";
        let end = format!("`outcome` = IF({later}, VALUES(`outcome`), `outcome`)");
        let spans = statement(&spans, 0xffff, 1);
        assert!(spans.ends_with(&end), "{spans}");
        assert_eq!(spans.matches("`outcome` = IF(").count(), 1);
        let plain = server().insert(Arc::new(PlainTable::default().table()));
        assert!(statement(&plain, 0b111, 1).ends_with("VALUES (TIMESTAMP'1970-01-01 00:00:00' + INTERVAL (? DIV 1000) MICROSECOND, ?, ?) ON DUPLICATE KEY UPDATE `timestamp` = `timestamp`"));
        let delete = server().delete(&Table::logs(&Options::default()), 7);
        assert_eq!(
            delete,
            "DELETE FROM `bellwether_logs` WHERE `time` < ? ORDER BY `time` LIMIT 7"
        );
    }

    #[test]
    fn mysql_has_nothing_for_a_number_that_is_not_finite() {
        let samples = Table::samples(&Options::default());
        for column in &samples.columns {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let expected = if column.kind == Kind::Value { None } else { Some(Cell::Null) };
                assert_eq!(server().stored(column, Cell::Real(value)), expected);
            }
            assert_eq!(server().stored(column, Cell::Real(1.5)), Some(Cell::Real(1.5)));
        }
    }
}
