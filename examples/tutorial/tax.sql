-- A table of VAT returns as many are: names in upper case, codes padded with
-- blanks, amounts and dates as text. Twelve months and more of five firms.
CREATE TABLE "Tax_Return" (
    "ID"     serial PRIMARY KEY,
    "NSRSBH" char(20),      -- 纳税人识别号, the taxpayer's code
    "NSRMC"  varchar(200),  -- 纳税人名称, the name
    "SKSSQ"  varchar(10),   -- 税款所属期, the month
    "SBRQ"   varchar(10),   -- 申报日期, when it was filed
    "XSE"    varchar(30),   -- 销售额, sales
    "SBZT"   varchar(20)    -- 申报状态, status
);
INSERT INTO "Tax_Return" ("NSRSBH", "NSRMC", "SKSSQ", "SBRQ", "XSE", "SBZT")
SELECT code, name, to_char(month, 'YYYY-MM-DD'), to_char(month + interval '1 month 14 days', 'YYYY-MM-DD'),
       to_char(base + 10000 * n, 'FM999,999,990.00'), CASE WHEN n % 5 = 0 THEN '逾期申报' ELSE '正常' END
FROM (VALUES ('91990100MADEM1284U', '深礁芯片有限公司', 1200000), ('91990100MADEM15674', '北岸机械有限公司', 860000),
             ('91990100MADEM184X7', '青禾软件有限公司', 450000), ('91990100MADEM2121X', '南湾物流有限公司', 310000),
             ('91990100MADEM24046', '云桥医药有限公司', 720000)) AS firms (code, name, base),
     generate_series(1, 14) AS n, LATERAL (SELECT date_trunc('month', now()) - n * interval '1 month' AS month) AS months
ORDER BY n, code;

-- A month was loaded twice.
INSERT INTO "Tax_Return" ("NSRSBH", "NSRMC", "SKSSQ", "SBRQ", "XSE", "SBZT")
SELECT "NSRSBH", "NSRMC", "SKSSQ", "SBRQ", "XSE", "SBZT" FROM "Tax_Return" WHERE "SKSSQ" = to_char(date_trunc('month', now()) - interval '2 months', 'YYYY-MM-DD');
-- Somebody typed codes by hand.
UPDATE "Tax_Return" SET "NSRSBH" = ' ' || lower("NSRSBH") WHERE "ID" IN (5, 6);
-- Dates that are none, amounts that are none.
UPDATE "Tax_Return" SET "SBRQ" = '0000-00-00' WHERE "ID" IN (7, 20);
UPDATE "Tax_Return" SET "XSE" = NULL WHERE "NSRSBH" LIKE '%24046%' AND "ID" % 14 = 3;
UPDATE "Tax_Return" SET "XSE" = '-' WHERE "NSRSBH" LIKE '%24046%' AND "ID" % 14 = 6;
-- Names from a GBK system that were read as Latin-1.
UPDATE "Tax_Return" SET "NSRMC" = convert_from(convert_to("NSRMC", 'GBK'), 'LATIN1') WHERE "ID" BETWEEN 15 AND 28;
-- An old registration number, a code with a wrong character, and no code at all.
INSERT INTO "Tax_Return" ("NSRSBH", "NSRMC", "SKSSQ", "SBRQ", "XSE", "SBZT") VALUES
    ('440300102345671', '老户', '2014-01-01', '2014-02-14', '5,000.00', '正常'),
    ('91990100MADEM1284V', '深礁芯片有限公司', '2025-01-01', '2025-02-14', '1,000.00', '正常'),
    (NULL, '某个体户', '2026-01-01', '2026-02-14', '3,000.00', '正常');
