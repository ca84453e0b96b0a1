-- Columns for the times of tasks, a key of the index values that the views can look up, and functions for that.

-- Follow from the header. NULL if it cannot be read.
ALTER TABLE {schema}.tasks ADD COLUMN created timestamptz, ADD COLUMN updated timestamptz;

CREATE FUNCTION {schema}.header_times(header bytea, OUT created timestamptz, OUT updated timestamptz) LANGUAGE plpgsql STABLE AS $tracker$
BEGIN
    SELECT h.created, h.updated INTO created, updated FROM {schema}.task_header(header) AS h;
EXCEPTION WHEN OTHERS THEN
    NULL;
END
$tracker$;
UPDATE {schema}.tasks t SET (created, updated) = (SELECT h.created, h.updated FROM {schema}.header_times(t.header) AS h)
    WHERE t.header IS NOT NULL;
DROP FUNCTION {schema}.header_times(bytea);

-- The key of an index value becomes the kind, the number of the index, the length of the value, and the value. The number of the task is a column of
-- its own. The order of the rows stays the same.
CREATE TABLE {schema}.old_index_keys AS SELECT key FROM {schema}.index_keys;
TRUNCATE {schema}.index_keys;
ALTER TABLE {schema}.index_keys DROP CONSTRAINT index_keys_pkey;
ALTER TABLE {schema}.index_keys ADD COLUMN seq int8 NOT NULL, ADD CONSTRAINT index_keys_pkey PRIMARY KEY (key, seq);
INSERT INTO {schema}.index_keys (key, seq)
    SELECT substring(key FOR length(key) - 8), {schema}.big_endian(key, length(key) - 8, 8) FROM {schema}.old_index_keys;
DROP TABLE {schema}.old_index_keys;

-- The bytes of all values that value_of shows as this one. The value of an Option has a byte 1 before it.
CREATE FUNCTION {schema}.forms_of_json(value jsonb) RETURNS bytea[] LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    shown text := value #>> '{}';
    number numeric;
    digits bytea := '';
    digit int4;
    forms bytea[] := '{}';
    part jsonb;
BEGIN
    CASE jsonb_typeof(value)
        WHEN 'null' THEN
            RETURN ARRAY['\x00'::bytea];
        WHEN 'string' THEN
            forms := ARRAY['\x73'::bytea || convert_to(shown, 'UTF8')];
            IF shown ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
                forms := array_append(forms, '\x75'::bytea || uuid_send(shown::uuid));
            END IF;
        WHEN 'number' THEN
            number := abs(shown::numeric);
            IF number <> trunc(number) THEN
                RETURN forms;
            END IF;
            WHILE number > 0 LOOP
                digit := mod(number, 256);
                IF shown LIKE '-%' THEN
                    digit := 255 - digit;
                END IF;
                digits := set_byte('\x00'::bytea, 0, digit) || digits;
                number := div(number, 256);
            END LOOP;
            digit := CASE WHEN shown LIKE '-%' THEN 128 - length(digits) ELSE 128 + length(digits) END;
            IF digit BETWEEN 0 AND 255 THEN
                forms := ARRAY['\x69'::bytea || set_byte('\x00'::bytea, 0, digit) || digits];
            END IF;
        WHEN 'object' THEN
            digits := decode(value ->> '$bytes', 'base64');
            forms := ARRAY['\x62'::bytea || digits, '\x73'::bytea || digits];
        WHEN 'array' THEN
            -- The values of several fields, each after its length, whose lowest byte comes first.
            forms := ARRAY[''::bytea];
            FOR part IN SELECT jsonb_array_elements(value) LOOP
                forms := ARRAY(
                    SELECT start || set_byte(set_byte('\x00000000'::bytea, 0, length(form) & 255), 1, length(form) >> 8) || form
                    FROM unnest(forms) AS start, unnest({schema}.forms_of_json(part)) AS form);
            END LOOP;
            RETURN forms;
        ELSE
            RETURN forms;
    END CASE;
    RETURN forms || ARRAY(SELECT '\x01'::bytea || form FROM unnest(forms) AS form);
END
$tracker$;

-- The bytes of all values that a view shows as this text. NULL is a value that is missing.
CREATE FUNCTION {schema}.forms_of_text(value text) RETURNS bytea[] LANGUAGE plpgsql IMMUTABLE AS $tracker$
DECLARE
    forms bytea[] := {schema}.forms_of_json(coalesce(to_jsonb(value), 'null'));
BEGIN
    IF value ~ '^(-?[0-9]+$|[[{])' THEN
        forms := forms || {schema}.forms_of_json(value::jsonb);
    END IF;
    RETURN forms;
EXCEPTION WHEN OTHERS THEN
    -- The text only looks like a number, a list or bytes.
    RETURN forms;
END
$tracker$;

-- The keys that a task has if the value with a name is this text. Each name has the start of its keys, and whether a length comes before the
-- value. A name may stand for an index and a unique key.
CREATE FUNCTION {schema}.keys_of(name text, value text, names text[], starts bytea[], have_length boolean[]) RETURNS bytea[]
LANGUAGE plpgsql IMMUTABLE AS $tracker$
DECLARE
    forms bytea[] := {schema}.forms_of_text(value);
    form bytea;
    keys bytea[] := '{}';
BEGIN
    IF (name = ANY(names)) IS NOT true THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the kind has no id, index or unique key with the name %L', name),
            HINT = format('Expected one of: %s.', array_to_string(names, ', '));
    END IF;
    FOR n IN 1 .. cardinality(names) LOOP
        CONTINUE WHEN names[n] <> name;
        FOREACH form IN ARRAY forms LOOP
            keys := array_append(keys, starts[n] || CASE WHEN have_length[n] THEN int4send(length(form)) ELSE '' END || form);
        END LOOP;
    END LOOP;
    RETURN keys;
END
$tracker$;
