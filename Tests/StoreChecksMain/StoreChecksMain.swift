import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Reads Zarr arrays and compares them with their raw numbers: `store-checks FOLDER` for every `FOLDER/NAME.zarr` or
/// `FOLDER/NAME.zip` with an array `a` and its numbers, C order and little-endian, in `FOLDER/NAME.bin`. Of a store
/// `FOLDER/NAME.grib` all arrays are compared, with `FOLDER/NAME/ARRAY.bin`. Whole arrays and boxes of them.
/// Tests/Interop/test_zarr_matrix.py and test_grib.py make such folders with the reference tools. Ends with 1 if one differs.
///
/// `store-checks --write FOLDER` is the other direction (`WriteStores`); `store-checks --at ADDRESS FILE.bin` compares one store;
/// `store-checks --unpacked FOLDER` compares unpacked numbers (`UnpackedValues`).
@main struct StoreChecksMain {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let folder = arguments.last,
      ["--write": 2, "--unpacked": 2, "--at": 3][arguments.first ?? ""] ?? 1 == arguments.count
    else {
      print("usage: store-checks [--write|--unpacked] FOLDER, store-checks --at ADDRESS FILE.bin")
      exit(64)
    }
    if arguments.first == "--write" { return try WriteStores.run(folder) }
    if arguments.first == "--unpacked" {
      if try UnpackedValues.run(folder) > 0 { exit(1) }
      return
    }
    if arguments.first == "--at" { return compare(CommandLine.arguments[2], folder) }
    let names = try Files.list(folder).filter { name in [".zarr", ".zip", ".grib"].contains { name.hasSuffix($0) } }
    var failures = 0
    for name in names {
      do {
        let stem = "\(folder)/\(name.split(separator: ".").dropLast().joined(separator: "."))"
        let differences =
          name.hasSuffix(".grib")
          ? try checkAll("\(folder)/\(name)", stem)
          : try [check(openStore("\(folder)/\(name)"), "a", Files.read("\(stem).bin"))].compactMap { $0 }
        for difference in differences { print("\(name): \(difference)") }
        failures += differences.isEmpty ? 0 : 1
      } catch {
        print("\(name): \(error)")
        failures += 1
      }
    }
    print("\(names.count) stores, \(failures) failed")
    if failures > 0 { exit(1) }
  }

  private static func compare(_ address: String, _ file: String) {
    do {
      guard let difference = try check(openStore(address), "a", Files.read(file)) else { return print("the same") }
      print(difference)
    } catch {
      print("\(error)")
    }
    exit(1)
  }

  /// What differs in any of a store's arrays; those of a folder, each in a file of its own, must be all that it has.
  private static func checkAll(_ path: String, _ folder: String) throws -> [String] {
    let store = try openStore(path)
    let expected = try Files.list(folder).map { String($0.dropLast(".bin".count)) }
    let found = store.arrays.keys.sorted()
    if found != expected.sorted() { return ["has \(found), not \(expected.sorted())"] }
    return try found.compactMap { array in
      let expected = try Files.read("\(folder)/\(array).bin")
      // Coordinates are computed; fields are equal to the last bit.
      if store.arrays[array]?.type == .float64 {
        let (a, b) = (try store.read(array).doubles, RawArray(type: .float64, bytes: expected).doubles)
        return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-9 } ? nil : "\(array): \(a), not \(b)"
      }
      return try check(store, array, expected).map { "\(array): \($0)" }
    }
  }

  /// What differs, nil if nothing does.
  private static func check(_ store: any ArrayStore, _ name: String, _ expected: [UInt8]) throws -> String? {
    let info = try store.info(name)
    let width = info.type.byteCount
    guard expected.count == info.count * width else { return "has \(info.count * width) bytes, not \(expected.count)" }
    if try store.read(name).bytes != expected { return "the whole array differs" }
    var seed: UInt64 = 12_345
    func random(below bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    for _ in 0..<4 where !info.shape.contains(0) {
      let box = info.shape.map { extent -> Range<Int> in
        let lower = random(below: extent)
        return lower..<lower + 1 + random(below: extent - lower)
      }
      if try store.read(name, box).bytes != part(expected, info.shape, box, width) { return "the part \(box) differs" }
    }
    return nil
  }

  private static func part(_ bytes: [UInt8], _ shape: [Int], _ box: [Range<Int>], _ width: Int) -> [UInt8] {
    var rows = [0]
    for (dimension, range) in box.enumerated() {
      rows = rows.flatMap { row in range.map { row * shape[dimension] + $0 } }
    }
    return rows.flatMap { bytes[$0 * width..<($0 + 1) * width] }
  }
}
