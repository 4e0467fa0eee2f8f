import Basics

/// Messages that claim one place in an array.
extension GRIBFile {
  /// Whether the messages of two fields have the same bytes.
  func isSame(_ a: GRIBField, _ b: GRIBField) throws -> Bool {
    func size(_ field: GRIBField) -> Int { field.pieces.reduce(0) { $0 + $1.count } }
    guard a.baseTime == b.baseTime, size(a) == size(b) else { return false }
    return try message(a.pieces) == message(b.pieces)
  }
}

extension GRIBIndex {
  /// For errors: the file, what the field is, and where it stands.
  func place(_ field: GRIBField, _ name: String, _ path: String) -> String {
    let product = products[field.product]
    let level = product.isOnPressureLevel ? " at \(GRIBNames.text(product.level)) hPa" : ""
    let time = Timestamp(seconds: field.baseTime + product.step).display
    return "\(path): \(name)\(level) of \(time), message at byte \(field.offset)"
      + (field.part > 0 ? ", field \(field.part + 1)" : "")
  }

  /// Why a position of an array has no value: two messages claim it. Nil if one does.
  func rivalry(_ entry: GRIBCatalog.Entry, _ cell: Int, _ name: String, _ file: GRIBFile) throws -> JigsawError? {
    guard let (first, second) = entry.fields[cell].flatMap({ first in entry.rivals[cell].map { (first, $0) } }) else {
      return nil
    }
    let (field, other) = (fields[first], fields[second])
    let (ours, theirs) = (try keys(of: field, file), try keys(of: other, file))
    let differing = zip(GRIBIndex.identity, zip(ours, theirs)).filter { $1.0 != $1.1 }
    let difference =
      differing.isEmpty
      ? "of other values" : differing.map { "\($0) \($1.1) instead of \($1.0)" }.joined(separator: ", ")
    let condition = differing.first.map { "\($0.0)=\($0.1.0)" } ?? "offset!=\(other.offset)"
    return JigsawError(
      place(field, name, file.path), "is stored twice", expected: "one message, or others with the same bytes",
      found: "another at byte \(other.offset): \(difference)",
      remedy: "keep one of them, for example with 'grib_copy -w \(condition) \(file.path) new.grib'")
  }

  /// Keys by which archives tell fields apart that are of one kind, place and time.
  private static let identity = [
    "edition", "dataDate", "dataTime", "stepRange", "expver", "class", "stream", "type", "centre", "subCentre",
    "generatingProcessIdentifier", "number", "typeOfLevel", "level", "stepType",
  ]

  private func keys(of field: GRIBField, _ file: GRIBFile) throws -> [String] {
    try GRIBLibrary.withMessage(file.message(field.pieces), "\(file.path): message at byte \(field.offset)") {
      message in
      GRIBIndex.identity.map { message.text($0) ?? "none" }
    }
  }
}
