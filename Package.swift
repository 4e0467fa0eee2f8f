// swift-tools-version: 6.2
import PackageDescription

// Floors, from the ground up: a target imports only targets named before it.
// docs/architecture.md walks through them; Tests/ArchitectureTests checks that imports point downwards.

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "Jigsaw",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Libraries of the system, seen through module maps and thin shims.
    .systemLibrary(
      name: "CNetCDF", path: "Sources/System/CNetCDF", pkgConfig: "netcdf", providers: [.apt(["libnetcdf-dev"])]),
    .systemLibrary(
      name: "CBlosc", path: "Sources/System/CBlosc", pkgConfig: "blosc", providers: [.apt(["libblosc-dev"])]),
    .systemLibrary(name: "CBZip2", path: "Sources/System/CBZip2", providers: [.apt(["libbz2-dev"])]),
    .target(
      name: "CCurl", path: "Sources/System/CCurl", cSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [.linkedLibrary("curl")]),
    // Debian's pkg-config file for ecCodes names folders that don't exist and flags that are not allowed.
    .target(
      name: "CECCodes", path: "Sources/System/CECCodes", cSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [.linkedLibrary("eccodes")]),
    .systemLibrary(
      name: "CLZ4", path: "Sources/System/CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(
      name: "CLZMA", path: "Sources/System/CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(
      name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CZstd", path: "Sources/System/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "COneDNN", path: "Sources/System/COneDNN", cSettings: [.treatAllWarnings(as: .error)],
      linkerSettings: [.linkedLibrary("dnnl")]),
    .target(name: "CLinux", path: "Sources/System/CLinux", cSettings: [.treatAllWarnings(as: .error)]),
    // Optimised in debug builds, too: tests run the instructions that users run, and much sooner.
    .target(
      name: "CKernels",
      cSettings: [.treatAllWarnings(as: .error), .unsafeFlags(["-O2"], .when(configuration: .debug))]),

    .systemLibrary(
      name: "CMPILibrary", path: "Sources/System/CMPILibrary", pkgConfig: "mpi-c",
      providers: [.apt(["libopenmpi-dev"])]),
    .target(
      name: "CMPI", dependencies: ["CMPILibrary"], path: "Sources/System/CMPI",
      cSettings: [.treatAllWarnings(as: .error)]),

    room("Basics", ["CLinux"]),
    room("Settings", ["Basics", .product(name: "Yams", package: "Yams")]),
    room("Tensors", ["Basics", "CKernels", "COneDNN"]),
    room("Geometry", ["Basics", "Tensors"]),
    room("Communication", ["Basics", "Tensors", "CMPI"]),
    room("Execution", ["Basics", "Tensors", "CKernels"]),
    room("Distribution", ["Basics", "Tensors", "Execution", "Communication"]),
    room(
      "Models",
      ["Basics", "Settings", "CKernels", "Tensors", "Geometry", "Execution", "Communication", "Distribution"]),
    room(
      "Stores",
      ["Basics", "CKernels", "CNetCDF", "CBlosc", "CBZip2", "CCurl", "CECCodes", "CLZ4", "CLZMA", "CZlib", "CZstd"]),
    room("Datasets", ["Basics", "CKernels", "Tensors", "Geometry", "Communication", "Stores"]),
    room(
      "Checkpoints",
      ["Basics", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models", "Stores", "Datasets"]),
    room("Stepping", ["Basics", "Tensors", "Execution", "Distribution", "Models", "Datasets"]),
    room(
      "Training",
      [
        "Basics", "CKernels", "Tensors", "Communication", "Execution", "Distribution", "Models", "Stores", "Datasets",
        "Checkpoints", "Stepping",
      ]),
    room(
      "Forecasting",
      ["Basics", "Tensors", "Communication", "Execution", "Distribution", "Stores", "Datasets", "Stepping"]),
    room("Verification", ["Basics", "Communication", "Stores", "Datasets"]),
    room(
      "Planning",
      [
        "Basics", "Tensors", "Communication", "Execution", "Distribution", "Models", "Datasets", "Stepping",
        "Checkpoints", "Training",
      ],
      resources: ["horeka-a100-40", "h100", "h200", "gh200", "mi250x", "sapphire-rapids"].map {
        .embedInCode("Catalogue/\($0).json")
      }),
    // Style, scripts and coastlines are compiled in, so that the program stays one file.
    room(
      "Reporting", ["Basics", "Geometry", "Datasets", "Verification"],
      resources: [
        "style.css", "charts.css", "maps.css", "base.js", "palettes.js", "chart.js", "map.js", "mapsection.js",
        "scores.js",
        "training.js", "coastlines.json",
      ].map { .embedInCode("Resources/\($0)") }),
    room(
      "Configuration",
      [
        "Basics", "Settings", "Tensors", "Datasets", "Models", "Checkpoints", "Training", "Forecasting",
        .product(name: "Yams", package: "Yams"),
      ]),
    room(
      "Workflow",
      [
        "Basics", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models", "Stores", "Datasets",
        "Stepping", "Checkpoints", "Training", "Forecasting", "Verification", "Planning", "Reporting", "Configuration",
      ]),
    .executableTarget(
      name: "jigsaw",
      dependencies: [
        "Basics", "Communication", "Configuration", "Datasets", "Forecasting", "Stores", "Workflow",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    // Tests, and what several of them share.
    .target(name: "TestSupport", dependencies: ["Basics", "Stores"], path: "Tests/TestSupport", swiftSettings: strict),
    // Damaged stores of all kinds, read by the tests some hundred times and by fuzz-stores millions of times.
    .target(
      name: "FuzzCases",
      dependencies: [
        "Basics", "Stores", "Datasets", "Workflow", "TestSupport", "CBlosc", "CBZip2", "CLZ4", "CLZMA", "CZlib",
        "CZstd",
      ], path: "Tests/FuzzCases", swiftSettings: strict),
    .executableTarget(
      name: "fuzz-stores", dependencies: ["Basics", "FuzzCases", "TestSupport"], path: "Tests/FuzzMain",
      swiftSettings: strict),
    tests("FuzzTests", ["Basics", "FuzzCases", "TestSupport"], exclude: ["Corpus"]),
    // Kernels for units that few machines have, compiled against their instructions in plain C.
    .target(
      name: "KernelEmulation", dependencies: ["CKernels"], path: "Tests/KernelEmulation",
      cSettings: [.treatAllWarnings(as: .error)]),
    tests("TensorsTests", ["Basics", "Tensors", "CKernels", "KernelEmulation", "TestSupport"]),
    // Gradients of operations against differences, for the tests of every room that has operations.
    .target(
      name: "OperationChecks", dependencies: ["Tensors", "Execution"], path: "Tests/OperationChecks",
      swiftSettings: strict),
    // Checks of ranks, run by the tests on threads and by rank-checks under mpirun.
    .target(
      name: "RankChecks", dependencies: ["Tensors", "Communication", "Execution", "Distribution", "Models"],
      path: "Tests/RankChecks", swiftSettings: strict),
    .executableTarget(
      name: "rank-checks", dependencies: ["Communication", "Distribution", "RankChecks"], path: "Tests/RankChecksMain",
      swiftSettings: strict),
    // Reads what the reference tools wrote: Tests/Interop.
    .executableTarget(
      name: "store-checks", dependencies: ["Basics", "Stores"], path: "Tests/StoreChecksMain", swiftSettings: strict),
    // Opens views of datasets for comparison with anemoi-datasets: Tests/Interop.
    .executableTarget(
      name: "view-checks", dependencies: ["Basics", "Tensors", "Datasets"], path: "Tests/ViewChecksMain",
      swiftSettings: strict),
    // Golden cases of graph models, run by the tests and by graph-checks.
    .target(
      name: "GraphChecks",
      dependencies: [
        "Basics", "CKernels", "Tensors", "Communication", "Execution", "Distribution", "Models", "Stores", "Training",
        "Configuration", "Workflow", "RankChecks",
      ],
      path: "Tests/GraphChecks", swiftSettings: strict),
    .executableTarget(
      name: "graph-checks",
      dependencies: ["Basics", "Communication", "Distribution", "GraphChecks", "Models", "Workflow"],
      path: "Tests/GraphChecksMain",
      swiftSettings: strict),
    // Reads whole samples, to be compared with other libraries: Benchmarks/reading.
    .executableTarget(
      name: "reading-speed", dependencies: ["Basics", "Stores", "Datasets"], path: "Benchmarks/reading/speed",
      swiftSettings: strict),
    // Times training steps of graph models: Benchmarks/graph-models.
    .executableTarget(
      name: "graph-speed",
      dependencies: [
        "Basics", "CKernels", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models", "Training",
        "Workflow", "RankChecks",
      ],
      path: "Benchmarks/graph-models/speed", swiftSettings: strict),
    // Trains with and without reading.
    .executableTarget(
      name: "loading-speed",
      dependencies: [
        "Basics", "Tensors", "Execution", "Distribution", "Models", "Datasets", "Stepping", "Checkpoints", "Training",
        "Configuration",
      ], path: "Benchmarks/reading/loading", swiftSettings: strict),
    // The published trainings predicted from their figures, for docs/scaling.md and its tests.
    .target(
      name: "PublishedRuns", dependencies: ["Models", "Planning"], path: "Benchmarks/scaling/published",
      swiftSettings: strict),
    // Writes the tables and pictures of docs/scaling.md.
    .executableTarget(
      name: "scaling-page",
      dependencies: ["Basics", "Distribution", "Execution", "Models", "Planning", "PublishedRuns", "Reporting"],
      path: "Benchmarks/scaling/page", swiftSettings: strict),
    tests("GeometryTests", ["Basics", "Tensors", "Geometry"]),
    tests("CommunicationTests", ["Basics", "Tensors", "Communication", "RankChecks"]),
    tests(
      "DistributionTests",
      ["Basics", "Tensors", "Execution", "Communication", "Distribution", "Models", "RankChecks", "TestSupport"]),
    tests("ExecutionTests", ["Basics", "Tensors", "Execution", "OperationChecks"]),
    tests(
      "ModelsTests",
      [
        "Basics", "Settings", "CKernels", "KernelEmulation", "Tensors", "Geometry", "Communication", "Execution",
        "Distribution", "Models", "Stores", "Datasets", "Stepping", "Checkpoints", "Training", "OperationChecks",
        "GraphChecks",
        "TestSupport",
      ]),
    tests(
      "TrainingTests",
      [
        "Basics", "Tensors", "Execution", "Distribution", "Models", "Datasets", "Stepping", "Checkpoints", "Training",
        "TestSupport",
      ]),
    tests(
      "PlanningTests",
      [
        "Basics", "Settings", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models", "Datasets",
        "Stepping", "Checkpoints", "Training", "Planning", "PublishedRuns", "TestSupport",
      ]),
    tests(
      "WorkflowTests",
      [
        "Basics", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models", "Stores", "Datasets",
        "Stepping", "Checkpoints", "Training", "Forecasting", "Configuration", "Verification", "Workflow",
        "GraphChecks", "TestSupport",
      ]),
    tests(
      "VerificationTests",
      ["Basics", "Communication", "Stores", "Datasets", "Forecasting", "Verification", "TestSupport"]),
    tests("ArchitectureTests", ["Basics"]),
    tests(
      "ReportingTests", ["Basics", "Geometry", "Datasets", "Verification", "Reporting", "Configuration", "Workflow"]),
    tests("StoresTests", ["Basics", "CKernels", "Stores", "TestSupport"]),
    tests(
      "DatasetsTests",
      ["Basics", "Tensors", "Geometry", "Communication", "Distribution", "Stores", "Datasets", "TestSupport"]),
    tests("CLITests", ["Basics", "Stores", "TestSupport", "jigsaw"], exclude: ["help.txt"]),
    tests(
      "ConfigurationTests",
      ["Basics", "Datasets", "Training", "Configuration", .product(name: "Yams", package: "Yams")]),
  ]
)
