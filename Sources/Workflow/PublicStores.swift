import Basics

/// Stores that anybody may read, by the names under which users know them.
public enum PublicStores {
  /// ERA5 as WeatherBench 2 offers it (Rasp et al. 2024): longitudes × latitudes, and where that resolution is.
  public static let weatherBench: [(resolution: String, store: String)] = [
    ("64x32", "1959-2023_01_10-6h-64x32_equiangular_conservative.zarr"),
    ("128x64", "1959-2022-6h-128x64_equiangular_conservative.zarr"),
    ("240x121", "1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr"),
    ("360x181", "1959-2022-1h-360x181_equiangular_with_poles_conservative.zarr"),
    ("512x256", "1959-2022-6h-512x256_equiangular_conservative.zarr"),
    ("1440x721", "1959-2023_01_10-wb13-6h-1440x721_with_derived_variables.zarr"),
  ]

  /// Where they are.
  public static let weatherBenchFolder = "gs://weatherbench2/datasets/era5"

  /// The address of a resolution's store.
  /// - Parameter folder: another place that has these stores, such as a mirror.
  /// - Throws: when there is no such resolution.
  public static func weatherBench(_ resolution: String, folder: String) throws -> String {
    guard let found = weatherBench.first(where: { $0.resolution == resolution }) else {
      throw JigsawError(
        "--resolution", "WeatherBench 2 has no ERA5 at this resolution",
        expected: weatherBench.map(\.resolution).joined(separator: ", "), found: resolution)
    }
    return folder.hasSuffix("/") ? folder + found.store : "\(folder)/\(found.store)"
  }
}
