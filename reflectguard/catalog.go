package reflectguard

import "strings"

// A set holds words of at most 32 bytes in lower case.
type set map[string]bool

func setOf(words string) set {
	s := make(set)
	for w := range strings.FieldsSeq(words) {
		s[w] = true
	}
	return s
}

// has reports whether the set holds w in any case. It allocates nothing.
func (s set) has(w string) bool {
	var lower [32]byte
	if len(w) > len(lower) {
		return false
	}
	for i := range len(w) {
		lower[i] = w[i]
		if 'A' <= w[i] && w[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	return s[string(lower[:len(w)])]
}

var (
	// sqliteTables hold SQLite's schema.
	sqliteTables = setOf("sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema")

	// pragmas are those that describe the schema. Others set, check or count something.
	pragmas = setOf(`table_info table_xinfo table_list index_list index_info index_xinfo
		foreign_key_list foreign_key_check database_list collation_list function_list module_list pragma_list`)

	// pgTables are the tables and views of pg_catalog that describe a schema, since
	// queries rarely name pg_catalog itself. Those about the server's activity are left
	// out.
	pgTables = setOf(`pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_cast pg_class pg_collation
		pg_constraint pg_conversion pg_database pg_depend pg_description pg_enum pg_event_trigger pg_extension
		pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_index pg_indexes pg_inherits pg_language
		pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_partitioned_table pg_policies pg_policy
		pg_proc pg_publication pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_rules pg_sequence
		pg_sequences pg_shdepend pg_shdescription pg_statistic_ext pg_tables pg_tablespace pg_transform pg_trigger
		pg_ts_config pg_ts_dict pg_type pg_views`)

	// functions are those of PostgreSQL that describe what is in the catalog.
	functions = setOf(`pg_get_constraintdef pg_get_indexdef pg_get_viewdef pg_get_functiondef pg_get_triggerdef
		pg_get_ruledef pg_get_partkeydef pg_get_partition_constraintdef pg_get_statisticsobjdef pg_get_function_arguments
		pg_get_function_result pg_get_expr to_regclass obj_description col_description shobj_description format_type`)

	// commands begin statements that may describe the schema.
	commands = setOf("pragma show desc describe explain")

	// shown are the words that follow SHOW in statements that describe the schema.
	shown = setOf("databases schemas tables columns fields index indexes keys triggers events charset collation engines create")

	// ending are the words after which a SELECT names no more tables.
	ending = setOf("where group order having limit union intersect except window for set returning into offset fetch")

	// explained are words that begin statements. After EXPLAIN they mean that a plan is
	// shown; any other word is the name of a table to describe.
	explained = setOf(`select insert update delete replace with table values analyze verbose format extended partitions
		for query create execute declare merge refresh pragma begin commit rollback vacuum reindex end call`)
)
