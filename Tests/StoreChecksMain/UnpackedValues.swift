import Basics
import Stores

/// Compares unpacked numbers: of every store `FOLDER/NAME.nc` or `FOLDER/NAME.zarr` each array that has a file in `FOLDER/NAME/`,
/// `ARRAY.bin` with its values in FP32, NaN where they are missing, or `ARRAY.refused` where its attributes must be refused by name.
enum UnpackedValues {
  /// - Returns: how many arrays differ.
  static func run(_ folder: String) throws -> Int {
    var (count, failures) = (0, 0)
    for file in try Files.list(folder) where file.hasSuffix(".nc") || file.hasSuffix(".zarr") {
      let stem = "\(folder)/\(file.split(separator: ".").dropLast().joined(separator: "."))"
      let store = try openStore("\(folder)/\(file)")
      for expected in try Files.list(stem) {
        count += 1
        guard let difference = try difference(store, "\(stem)/\(expected)", expected) else { continue }
        print("\(file): \(expected): \(difference)")
        failures += 1
      }
    }
    print("\(count) arrays, \(failures) failed")
    return failures
  }

  private static func difference(_ store: any ArrayStore, _ path: String, _ file: String) throws -> String? {
    let name = String(file.split(separator: ".")[0])
    let info = try store.info(name)
    let mustRefuse = file.hasSuffix(".refused")
    do {
      let packing = try store.packing(of: info)
      if mustRefuse { return "is not refused" }
      let raw = try store.read(name)
      var found = [Float](repeating: 0, count: raw.count)
      found.withUnsafeMutableBufferPointer { packing.unpack(raw, into: $0) }
      let expected = RawArray(type: .float32, bytes: try Files.read(path)).doubles
      guard expected.count == found.count else { return "has \(found.count) values, not \(expected.count)" }
      // xarray unpacks in single precision where the factors are.
      let isSame = zip(found, expected).allSatisfy { found, expected in
        Double(found).isNaN == expected.isNaN
          && (expected.isNaN || abs(Double(found) - expected) <= 1e-6 * max(1, abs(expected)))
      }
      return isSame ? nil : "\(found), not \(expected)"
    } catch let error as JigsawError {
      return mustRefuse && "\(error)".contains(name) ? nil : "\(error)"
    }
  }
}
