import Basics
import Stores
import Tensors

/// A record of what ran where: version, machine, kernels chosen, libraries.
public struct Provenance: Sendable, Encodable {
  public let entries: [(key: String, value: String)]

  public init(threads: Int, products: String = standardProducts().name) {
    entries = [
      ("version", jigsawVersion),
      ("host", Machine.hostName),
      ("processor", Machine.processorName),
      ("cpusAvailable", String(ThreadTeam.availableCPUs)),
      ("threads", String(threads)),
      ("kernels", Compute.kernelSet),
      ("products", products),
      ("netcdf", netCDFVersion),
      ("blosc", bloscVersion),
      ("zlib", zlibVersionText),
      ("zstd", zstdVersion),
      ("lz4", lz4Version),
      ("curl", curlVersion),
    ]
  }

  public func encode(to encoder: any Encoder) throws {
    try Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) }).encode(to: encoder)
  }

  public func json(started: Timestamp) throws -> String {
    var object = Dictionary(uniqueKeysWithValues: entries.map { ($0.key, JSONValue.string($0.value)) })
    object["started"] = .string(started.description)
    return try JSONValue.object(object).text() + "\n"
  }
}
