-- Functions that read the bytes of a tracker, for the views of the kinds. docs/format.md describes the bytes. A place counts from 0.

-- Times, in microseconds since 1970. A task that is paused or waits for others has no time.
CREATE FUNCTION {schema}.time_of(micros int8) RETURNS timestamptz LANGUAGE sql STABLE AS $tracker$
    SELECT CASE WHEN micros < 9000000000000000000 THEN timestamptz 'epoch' + micros * interval '1 microsecond' ELSE 'infinity' END
$tracker$;

-- A signed number of a record: its sign is the lowest bit.
CREATE FUNCTION {schema}.signed_of(number int8) RETURNS int8 LANGUAGE sql IMMUTABLE AS $tracker$
    SELECT ((number >> 1) & 9223372036854775807) # -(number & 1)
$tracker$;

-- Numbers of a record that follow each other, and the place behind them.
CREATE FUNCTION {schema}.record_numbers(bytes bytea, place int4, count int4) RETURNS int8[]
LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    numbers int8[] := '{}';
    number int8;
    width int4;
BEGIN
    FOR n IN 1 .. count LOOP
        number := get_byte(bytes, place);
        place := place + 1;
        IF number > 250 THEN
            width := 1 << (number::int4 - 250);
            number := 0;
            FOR i IN REVERSE width - 1 .. 0 LOOP
                number := (number << 8) | get_byte(bytes, place + i);
            END LOOP;
            place := place + width;
        END IF;
        numbers[n] := number;
    END LOOP;
    numbers[count + 1] := place;
    RETURN numbers;
END
$tracker$;

-- The parts of the header of a task that a person asks for.
CREATE FUNCTION {schema}.task_header(header bytea, OUT priority int2, OUT created timestamptz, OUT updated timestamptz, OUT attempts int4,
    OUT failures int4, OUT worker text, OUT started timestamptz)
LANGUAGE plpgsql STABLE STRICT AS $tracker$
DECLARE
    place int4;
    n int8[];
BEGIN
    -- The version; then the status and the priority.
    IF get_byte(header, 0) <> 1 THEN
        RETURN;
    END IF;
    place := ({schema}.record_numbers(header, 1, 1))[2];
    priority := get_byte(header, place);
    n := {schema}.record_numbers(header, place + 1, 3);
    created := {schema}.time_of({schema}.signed_of(n[1]));
    updated := {schema}.time_of({schema}.signed_of(n[2]));
    place := n[4];
    -- The place among others, which few tasks have.
    n := {schema}.record_numbers(header, place + 1, get_byte(header, place));
    n := {schema}.record_numbers(header, n[array_length(n, 1)]::int4, 5);
    attempts := n[1];
    failures := n[2];
    -- The fingerprint.
    place := n[6];
    n := {schema}.record_numbers(header, place + 1, get_byte(header, place));
    -- The lease: token, fence, worker, instance, start.
    place := n[array_length(n, 1)];
    IF get_byte(header, place) = 1 THEN
        n := {schema}.record_numbers(header, place + 17, 2);
        worker := convert_from(substring(header FROM n[3]::int4 + 1 FOR n[2]::int4), 'UTF8');
        started := {schema}.time_of({schema}.signed_of(({schema}.record_numbers(header, (n[3] + n[2])::int4 + 16, 1))[1]));
    END IF;
END
$tracker$;

-- The error of an attempt, if it failed.
CREATE FUNCTION {schema}.attempt_error(attempt bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    place int4;
    n int8[];
BEGIN
    IF get_byte(attempt, 0) <> 1 THEN
        RETURN NULL;
    END IF;
    -- Fence, number, step, worker; start and end; the run time, if it is known; the status.
    n := {schema}.record_numbers(attempt, 1, 4);
    n := {schema}.record_numbers(attempt, (n[5] + n[4])::int4, 2);
    place := n[3];
    n := {schema}.record_numbers(attempt, place + 1, get_byte(attempt, place));
    place := n[array_length(n, 1)] + 1;
    IF get_byte(attempt, place) = 0 THEN
        RETURN NULL;
    END IF;
    n := {schema}.record_numbers(attempt, place + 1, 1);
    RETURN convert_from(substring(attempt FROM n[2]::int4 + 1 FOR n[1]::int4), 'UTF8');
END
$tracker$;

CREATE FUNCTION {schema}.base64_of(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $tracker$
    SELECT translate(encode(bytes, 'base64'), E'\n', '')
$tracker$;

-- The value of an id, an index or a unique key. Several values are an array; bytes are {"$bytes": base64}.
CREATE FUNCTION {schema}.value_of(bytes bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    size int4 := length(bytes);
    tag int4;
    head int4;
    number numeric := 0;
    place int4 := 0;
    part int4;
    parts jsonb := '[]';
BEGIN
    IF size = 0 THEN
        RETURN NULL;
    END IF;
    tag := get_byte(bytes, 0);
    IF tag = 115 THEN
        BEGIN
            RETURN to_jsonb(convert_from(substring(bytes FROM 2), 'UTF8'));
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    ELSIF tag = 117 AND size = 17 THEN
        RETURN to_jsonb(encode(substring(bytes FROM 2), 'hex')::uuid);
    ELSIF tag = 105 AND size > 1 AND size - 2 = abs(get_byte(bytes, 1) - 128) THEN
        head := get_byte(bytes, 1);
        FOR i IN 2 .. size - 1 LOOP
            number := number * 256 + CASE WHEN head < 128 THEN 255 - get_byte(bytes, i) ELSE get_byte(bytes, i) END;
        END LOOP;
        RETURN to_jsonb(CASE WHEN head < 128 THEN -number ELSE number END);
    ELSIF tag = 0 AND size = 1 THEN
        RETURN 'null';
    ELSIF tag = 1 AND size > 1 AND get_byte(bytes, 1) IN (98, 105, 115, 117) THEN
        RETURN {schema}.value_of(substring(bytes FROM 2));
    ELSIF tag <> 98 THEN
        -- Values behind their lengths.
        WHILE place + 4 <= size LOOP
            part := get_byte(bytes, place) + 256 * get_byte(bytes, place + 1) + 65536 * get_byte(bytes, place + 2);
            EXIT WHEN get_byte(bytes, place + 3) > 0 OR place + 4 + part > size;
            parts := parts || jsonb_build_array({schema}.value_of(substring(bytes FROM place + 5 FOR part)));
            place := place + 4 + part;
        END LOOP;
        IF place = size AND jsonb_array_length(parts) > 1 THEN
            RETURN parts;
        END IF;
        RETURN jsonb_build_object('$bytes', {schema}.base64_of(bytes));
    END IF;
    RETURN jsonb_build_object('$bytes', {schema}.base64_of(substring(bytes FROM 2)));
END
$tracker$;

-- The values of the indexes (list 1) or unique keys (list 2) of a task, under their names.
CREATE FUNCTION {schema}.task_values(fields bytea, list int4, names text[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    n int8[];
    place int4;
    count int4;
    found jsonb := '{}';
BEGIN
    IF get_byte(fields, 0) <> 1 THEN
        RETURN NULL;
    END IF;
    n := {schema}.record_numbers(fields, 1, 1);
    place := n[2] + n[1];
    FOR l IN 1 .. list LOOP
        n := {schema}.record_numbers(fields, place, 1);
        count := n[1];
        place := n[2];
        FOR i IN 1 .. count LOOP
            n := {schema}.record_numbers(fields, place, 1);
            IF l = list AND i <= cardinality(names) THEN
                found := found || jsonb_build_object(names[i], {schema}.value_of(substring(fields FROM n[2]::int4 + 1 FOR n[1]::int4)));
            END IF;
            place := n[2] + n[1];
        END LOOP;
    END LOOP;
    RETURN found;
END
$tracker$;

-- A big-endian number.
CREATE FUNCTION {schema}.big_endian(bytes bytea, place int4, width int4) RETURNS int8 LANGUAGE plpgsql IMMUTABLE AS $tracker$
DECLARE
    number int8 := 0;
BEGIN
    FOR i IN 0 .. width - 1 LOOP
        number := (number << 8) | get_byte(bytes, place + i);
    END LOOP;
    RETURN number;
END
$tracker$;

-- A float from its bits: the widths of exponent and fraction are 8 and 23, or 11 and 52.
CREATE FUNCTION {schema}.float_json(bits int8, exponent_bits int4, fraction_bits int4) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $tracker$
DECLARE
    most int8 := (1 << exponent_bits) - 1;
    exponent int8 := (bits >> fraction_bits) & most;
    fraction int8 := bits & ((1::int8 << fraction_bits) - 1);
    negative boolean := (bits >> (exponent_bits + fraction_bits)) & 1 = 1;
    number float8;
BEGIN
    IF exponent = most THEN
        RETURN '{"$f64": "' || CASE WHEN fraction > 0 THEN 'NaN' WHEN negative THEN '-Infinity' ELSE 'Infinity' END || '"}';
    END IF;
    IF exponent > 0 THEN
        fraction := fraction + (1::int8 << fraction_bits);
    END IF;
    number := fraction::float8 * power(2::float8, greatest(exponent, 1) - most / 2 - fraction_bits);
    IF negative THEN
        number := -number;
    END IF;
    RETURN CASE WHEN exponent_bits = 8 THEN to_json(number::float4)::text ELSE to_json(number)::text END;
END
$tracker$;

-- A value in MessagePack as JSON, and the place behind it. Keys of maps that are not text become text.
CREATE FUNCTION {schema}.messagepack_json(bytes bytea, INOUT place int4, OUT json text) LANGUAGE plpgsql IMMUTABLE AS $tracker$
DECLARE
    tag int4 := get_byte(bytes, place);
    width int4;
    size int4;
    form text;
    item record;
    items text[] := '{}';
BEGIN
    place := place + 1;
    CASE
        WHEN tag < 128 THEN json := tag::text;
        WHEN tag < 144 THEN form := 'map'; size := tag & 15;
        WHEN tag < 160 THEN form := 'array'; size := tag & 15;
        WHEN tag < 192 THEN form := 'text'; size := tag & 31;
        WHEN tag = 192 THEN json := 'null';
        WHEN tag = 194 THEN json := 'false';
        WHEN tag = 195 THEN json := 'true';
        WHEN tag BETWEEN 196 AND 198 THEN form := 'bytes'; width := 1 << (tag - 196);
        WHEN tag BETWEEN 199 AND 201 THEN form := 'extension'; width := 1 << (tag - 199);
        WHEN tag = 202 THEN
            json := {schema}.float_json({schema}.big_endian(bytes, place, 4), 8, 23);
            place := place + 4;
        WHEN tag = 203 THEN
            json := {schema}.float_json({schema}.big_endian(bytes, place, 8), 11, 52);
            place := place + 8;
        WHEN tag BETWEEN 204 AND 207 THEN
            width := 1 << (tag - 204);
            json := ({schema}.big_endian(bytes, place, width)
                + CASE WHEN width = 8 AND get_byte(bytes, place) > 127 THEN 18446744073709551616 ELSE 0 END)::text;
            place := place + width;
            RETURN;
        WHEN tag BETWEEN 208 AND 211 THEN
            width := 1 << (tag - 208);
            json := ({schema}.big_endian(bytes, place, width)
                - CASE WHEN width < 8 AND get_byte(bytes, place) > 127 THEN 1::int8 << (8 * width) ELSE 0 END)::text;
            place := place + width;
            RETURN;
        WHEN tag BETWEEN 212 AND 216 THEN form := 'extension'; size := 1 << (tag - 212);
        WHEN tag BETWEEN 217 AND 219 THEN form := 'text'; width := 1 << (tag - 217);
        WHEN tag BETWEEN 220 AND 221 THEN form := 'array'; width := 2 << (tag - 220);
        WHEN tag BETWEEN 222 AND 223 THEN form := 'map'; width := 2 << (tag - 222);
        ELSE json := (tag - 256)::text;
    END CASE;
    IF form IS NULL THEN
        RETURN;
    END IF;
    IF width IS NOT NULL THEN
        size := {schema}.big_endian(bytes, place, width);
        place := place + width;
    END IF;
    CASE form
        WHEN 'text' THEN
            json := to_json(convert_from(substring(bytes FROM place + 1 FOR size), 'UTF8'))::text;
            place := place + size;
        WHEN 'bytes' THEN
            json := '{"$bytes": "' || {schema}.base64_of(substring(bytes FROM place + 1 FOR size)) || '"}';
            place := place + size;
        WHEN 'extension' THEN
            tag := get_byte(bytes, place);
            json := '{"$ext": [' || CASE WHEN tag > 127 THEN tag - 256 ELSE tag END || ', "'
                || {schema}.base64_of(substring(bytes FROM place + 2 FOR size)) || '"]}';
            place := place + 1 + size;
        WHEN 'array' THEN
            FOR i IN 1 .. size LOOP
                item := {schema}.messagepack_json(bytes, place);
                items[i] := item.json;
                place := item.place;
            END LOOP;
            json := '[' || array_to_string(items, ', ') || ']';
        WHEN 'map' THEN
            FOR i IN 1 .. size LOOP
                item := {schema}.messagepack_json(bytes, place);
                json := item.json;
                item := {schema}.messagepack_json(bytes, item.place);
                items[i] := CASE WHEN json LIKE '"%' THEN json ELSE to_json(json)::text END || ': ' || item.json;
                place := item.place;
            END LOOP;
            json := '{' || array_to_string(items, ', ') || '}';
    END CASE;
END
$tracker$;

-- The payload of a task; NULL if it cannot be shown, such as a text with a zero byte.
CREATE FUNCTION {schema}.task_payload(fields bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $tracker$
DECLARE
    n int8[];
    place int4;
    count int4;
    stored bytea;
    name text;
BEGIN
    IF get_byte(fields, 0) <> 1 THEN
        RETURN NULL;
    END IF;
    n := {schema}.record_numbers(fields, 1, 1);
    place := n[2] + n[1];
    FOR list IN 1 .. 2 LOOP
        n := {schema}.record_numbers(fields, place, 1);
        count := n[1];
        place := n[2];
        FOR i IN 1 .. count LOOP
            n := {schema}.record_numbers(fields, place, 1);
            place := n[2] + n[1];
        END LOOP;
    END LOOP;
    n := {schema}.record_numbers(fields, place, 1);
    stored := substring(fields FROM n[2]::int4 + 1 FOR n[1]::int4);
    -- A version of the type, and a codec of the program.
    IF get_byte(stored, 0) = 193 THEN
        place := 4 + get_byte(stored, 3);
        IF place > 4 THEN
            name := convert_from(substring(stored FROM 5 FOR place - 4), 'UTF8');
            RETURN jsonb_build_object('$encoded', jsonb_build_array(name, {schema}.big_endian(stored, 1, 2),
                {schema}.base64_of(substring(stored FROM place + 1))));
        END IF;
        stored := substring(stored FROM 5);
    END IF;
    RETURN ({schema}.messagepack_json(stored, 0)).json::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$tracker$;
