import Basics
import Datasets
import Settings
import Yams

extension Field {
  /// Variables with what they get where they have no values: `{sst: mean, swh: 0}`, or as Anemoi's imputers have it,
  /// `{default: none, mean: [sst], 0: [swh]}`.
  public static func imputations(_ name: String, _ path: any Path<[String: Imputation]>, _ help: String) -> Field {
    Field(name, help, .nested) { root, node, key, file in
      var found: [String: Imputation] = [:]
      func add(_ variable: String, _ value: Imputation, _ node: Node) throws {
        if found.updateValue(value, forKey: variable) != nil {
          throw JigsawError(place(node, key, file), "names \(variable) twice", remedy: "remove one of them")
        }
      }
      guard let mapping = node.mapping else {
        throw invalid(node, key, file, expected: "variables with a number, mean or nearest, for example {sst: mean}")
      }
      for (word, value) in mapping {
        let (word, inner) = (word.string ?? "", "\(key).\(word.string ?? "")")
        if word == "default" {
          guard value.string == "none" else {
            throw invalid(value, inner, file, expected: "none: what may lack values is named")
          }
        } else if let list = value.sequence {
          guard word != "none" else { continue }
          guard let imputation = Imputation(word) else {
            throw JigsawError(
              place(node, inner, file), "is no way to impute", expected: "a number, mean or nearest", found: word)
          }
          for entry in list {
            guard let variable = entry.string else {
              throw invalid(entry, inner, file, expected: "a list of variables")
            }
            try add(variable, imputation, entry)
          }
        } else {
          guard let imputation = value.scalar.flatMap({ Imputation($0.string) }) else {
            throw invalid(value, inner, file, expected: "a number, mean or nearest")
          }
          try add(word, imputation, value)
        }
      }
      root[keyPath: path] = found
    } text: { root in
      let map = root[keyPath: path]
      return "{\(map.sorted { $0.key < $1.key }.map { "\(quoted($0.key)): \($0.value.text)" }.joined(separator: ", "))}"
    }
  }
}
