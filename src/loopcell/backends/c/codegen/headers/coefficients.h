/* The numbers of functions.h. Made by scripts/coefficients.py, which says what they are nearest to. */
#if REAL_IS_DOUBLE
#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa4p-1
#define LN2_LOW -0x1.8432a1b0e2634p-43
#define ROOT_HALF_BITS 0x3fe6a09e667f3bcd
static const real LOG_TERMS[] = {
    0x1.5555555555592p-1, 0x1.999999997ff19p-2, 0x1.24924941e0ce1p-2, 0x1.c71c52152dd33p-3, 0x1.74663cad04894p-3,
    0x1.39a1f0d52853cp-3, 0x1.2f035c87a74bp-3};
#define UNIT 0x1.8p-64
static const real EXP_TERMS[] = {
    0x1.000000000000ap-1, 0x1.5555555555501p-3, 0x1.55555555506a4p-5, 0x1.1111111126274p-7, 0x1.6c16c18480d34p-10,
    0x1.a01a01323b6dfp-13, 0x1.a0199939f7effp-16, 0x1.71df14b49a368p-19, 0x1.28ae274888979p-22,
    0x1.ad98bff140c6fp-26};
#elif defined(AVX512)
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.62e43p-1f
#define LN2_LOW -0x1.05c61p-29f
#define ROOT_HALF_BITS 0x3f3504f3
static const real LOG_TERMS[] = {
    0x1.555554p-1f, 0x1.999c26p-2f, 0x1.23d3dep-2f, 0x1.f13b9ep-3f};
#define UNIT 0x1.91760ap-24f
#define TANH_START 0x1.4p-1f
#if SHORT
static const real EXP_TERMS[] = {
    0x1.fff0a2p-2f};
static const float TANH_TERMS[4][16] __attribute__((aligned(64))) = {
    {0x1.c27a2ap-1f, 0x1.e87992p-1f, 0x1.f737ep-1f, 0x1.fcc076p-1f, 0x1.fece0ap-1f, 0x1.ffd68ep-1f, 0x1.fffa64p-1f,
     0x1.ffff3ep-1f, 0x1.ffffe6p-1f, 0x0p+0f, 0x1.fd596cp-4f, 0x1.f597cap-3f, 0x1.6ef434p-2f, 0x1.1bf424p-1f,
     0x1.686636p-1f, 0x1.9e5cc2p-1f},
    {0x1.cd1a28p-3f, 0x1.6dd45p-4f, 0x1.14ec2p-5f, 0x1.9bd11ep-7f, 0x1.274028p-8f, 0x1.3fe7d8p-11f, 0x1.5a3826p-14f,
     0x1.6f03aap-17f, 0x1.6b0672p-20f, 0x1p+0f, 0x1.f81adp-1f, 0x1.e15286p-1f, 0x1.be8a2cp-1f, 0x1.62b688p-1f,
     0x1.025f6ep-1f, 0x1.614516p-2f},
    {-0x1.876a1cp-3f, -0x1.4a23dp-4f, -0x1.ff07fep-6f, -0x1.7f1374p-7f, -0x1.e6f454p-9f, -0x1.07337ap-11f,
     -0x1.1cb2aap-14f, -0x1.1bde88p-17f, -0x1.cf9bccp-21f, -0x1.738c62p-13f, -0x1.fd084p-4f, -0x1.dd4eecp-3f,
     -0x1.4c48ecp-2f, -0x1.919f52p-2f, -0x1.6e658p-2f, -0x1.1d34e2p-2f},
    {0x1.34ddfep-4f, 0x1.195c5ap-5f, 0x1.bf0e58p-7f, 0x1.52417ap-8f, 0x1.4300acp-10f, 0x1.5b4ac6p-13f,
     0x1.77d992p-16f, 0x1.4ee818p-19f, 0x1.985758p-23f, -0x1.51ebd4p-2f, -0x1.284a3ep-2f, -0x1.c30b84p-3f,
     -0x1.8d5252p-4f, 0x1.444c4ap-5f, 0x1.a361b8p-4f, 0x1.b9e928p-4f}};
#else
static const real EXP_TERMS[] = {
    0x1.00021ep-1f, 0x1.555618p-3f};
static const float TANH_TERMS[6][16] __attribute__((aligned(64))) = {
    {0x1.c278a4p-1f, 0x1.e8789ep-1f, 0x1.f73776p-1f, 0x1.fcc04cp-1f, 0x1.fecd6cp-1f, 0x1.ffd678p-1f, 0x1.fffa6p-1f,
     0x1.ffff3ep-1f, 0x1.ffffe6p-1f, 0x0p+0f, 0x1.fd5992p-4f, 0x1.f597eap-3f, 0x1.6ef53ep-2f, 0x1.1bf47ep-1f,
     0x1.68665p-1f, 0x1.9e5cb6p-1f},
    {0x1.ceaa06p-3f, 0x1.6fd1dep-4f, 0x1.16ab54p-5f, 0x1.9e9b8p-7f, 0x1.3210fcp-8f, 0x1.4bbe54p-11f,
     0x1.6cf7dap-14f, 0x1.5ee6b8p-17f, 0x1.5b86f4p-20f, 0x1p+0f, 0x1.f8154ep-1f, 0x1.e149ccp-1f, 0x1.be3f92p-1f,
     0x1.62854ep-1f, 0x1.0250a8p-1f, 0x1.614facp-2f},
    {-0x1.975198p-3f, -0x1.5f072ap-4f, -0x1.1205b6p-5f, -0x1.9d02c6p-7f, -0x1.2f6474p-8f, -0x1.4748d2p-11f,
     -0x1.8ffb66p-14f, -0x1.3c59bap-19f, -0x1.c48d9ep-22f, 0x1.4e91cep-22f, -0x1.f5ce46p-4f, -0x1.d7adccp-3f,
     -0x1.3fc316p-2f, -0x1.895e4ep-2f, -0x1.6bd2ecp-2f, -0x1.1de7b6p-2f},
    {0x1.9ca34ap-4f, 0x1.a97456p-5f, 0x1.6140f2p-6f, 0x1.145cb4p-7f, 0x1.8159dcp-9f, 0x1.95a4f4p-12f,
     0x1.5ae4aep-14f, -0x1.33c3dp-16f, -0x1.65cf9ap-21f, -0x1.555b2cp-2f, -0x1.3e97bap-2f, -0x1.05331ep-2f,
     -0x1.707c8ep-3f, -0x1.0c4c5p-6f, 0x1.5777b8p-4f, 0x1.c5de46p-4f},
    {-0x1.af68fcp-6f, -0x1.599816p-6f, -0x1.42a892p-7f, -0x1.17a878p-8f, -0x1.3a14ccp-10f, -0x1.3564d8p-13f,
     -0x1.ca1298p-15f, 0x1.ba5cc2p-16f, 0x1.416fc2p-21f, 0x1.ef3828p-12f, 0x1.050454p-4f, 0x1.fa9b52p-4f,
     0x1.6f3e32p-3f, 0x1.0e4b24p-3f, 0x1.983cc8p-5f, 0x1.4b4086p-9f},
    {0x1.3ec6b6p-10f, 0x1.3d856cp-8f, 0x1.5f9f58p-9f, 0x1.6cb592p-10f, 0x1.f645b8p-13f, 0x1.b657dcp-16f,
     0x1.23ab4cp-16f, -0x1.762388p-17f, -0x1.275f2ep-23f, 0x1.0a3768p-3f, 0x1.4363bep-3f, 0x1.c1e1bcp-4f,
     -0x1.9f768cp-6f, -0x1.a5aedp-5f, -0x1.1afa14p-5f, -0x1.81a9d2p-6f}};
#endif
static const float ROOTS[16] __attribute__((aligned(64))) = {
    0x1p+0f, 0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f, 0x1.306fep+0f, 0x1.3dea64p+0f, 0x1.4bfdaep+0f,
    0x1.5ab07ep+0f, 0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f, 0x1.ae89fap+0f, 0x1.c199bep+0f,
    0x1.d5818ep+0f, 0x1.ea4afap+0f};
static const int32_t UNIT_ROOTS[16] __attribute__((aligned(64))) = {
    4766469, 4824606, 4908529, 5019380, 5158351, 5326687, 5384284, 5237652, 5107740, 4995289, 4901071, 4825894,
    4770601, 4736072, 4723227, 4733025};
#else
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define ROOT_HALF_BITS 0x3f3504f3
static const real LOG_TERMS[] = {
    0x1.555554p-1f, 0x1.999c26p-2f, 0x1.23d3dep-2f, 0x1.f13b9ep-3f};
#define UNIT 0x1.8p-24f
static const real EXP_TERMS[] = {
    0x1.fffffcp-2f, 0x1.55548cp-3f, 0x1.55585ap-5f, 0x1.123d72p-7f, 0x1.6ab91cp-10f};
#endif
