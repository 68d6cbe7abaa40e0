/* The tile instructions of x86 (AMX). Written out, since GCC's intrinsics do not say that a load reads memory, and stores before
 * it may then be moved behind it. */
#define TILE_MEMORY(instruction, tile, at, stride) \
    __asm__ volatile(instruction :: "r"(at), "r"((int64_t)(stride)) : "memory")
#define TILE_LOAD(tile, at, stride) TILE_MEMORY("tileloadd (%0,%1,1), %%tmm" #tile, tile, at, stride)
#define TILE_STORE(tile, at, stride) TILE_MEMORY("tilestored %%tmm" #tile ", (%0,%1,1)", tile, at, stride)
#define TILE_ZERO(tile) __asm__ volatile("tilezero %tmm" #tile)
#define TILE_DOT(sums, rows, weights) __asm__ volatile("tdpbf16ps %tmm" #weights ", %tmm" #rows ", %tmm" #sums)
#define TILE_CONFIGURE(from) __asm__ volatile("ldtilecfg %0" :: "m"(*(from)))
#define TILE_RELEASE() __asm__ volatile("tilerelease")
