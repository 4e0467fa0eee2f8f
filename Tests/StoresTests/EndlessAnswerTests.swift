import Basics
import Synchronization
import Testing

@testable import Stores

/// What a server sends for a chunk is bounded by what the chunk may hold.
@Suite struct EndlessAnswerTests {
  /// Chunks of eight numbers of two bytes.
  private func store(_ codec: String, _ values: [String: [UInt8]], knowsRanges: Bool = true) throws -> (
    ZarrStore, FaultyServer
  ) {
    let array =
      #"{"zarr_format": 2, "shape": [24], "chunks": [8], "dtype": "<i2", "fill_value": 7, "order": "C", "#
      + #""filters": null, "compressor": \#(codec)}"#
    let consolidated =
      #"{"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, "a/.zarray": \#(array)}}"#
    var all = values
    all[".zmetadata"] = Array(consolidated.utf8)
    let server = try FaultyServer(all)
    server.knowsRanges.store(knowsRanges, ordering: .relaxed)
    return (try ZarrStore(HTTPStorage(server.address)), server)
  }

  private static let codecs = ["null", #"{"id": "zlib", "level": 1}"#]

  @Test(arguments: codecs, [true, false]) func longAnswersAreGivenUp(codec: String, knowsRanges: Bool) throws {
    let (store, server) = try store(
      codec, ["a/1": [UInt8](repeating: 0, count: 1 << 20)], knowsRanges: knowsRanges)
    // The page that says that there is no such chunk is longer than the chunk.
    #expect(try store.read("a", [0..<8]).doubles == [Double](repeating: 7, count: 8))
    let error = #expect(throws: JigsawError.self) { try store.read("a", [8..<16]) }
    #expect(error?.place == "\(server.address)/a/1")
    if codec != "null" || !knowsRanges {
      #expect(error?.found == "the answer is longer than \(codec == "null" ? 16 : 16 + 2 + 1 << 16) bytes")
    }
    #expect(throws: JigsawError.self) { try store.read("a") }
  }
}
